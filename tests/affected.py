"""Print the test files of some folders that changed files can affect, as the imports of Python tell.

    git diff --name-only BEFORE HEAD | python -m tests.affected tests/unit/config tests/unit/training

A changed file that nobody imports (settings, requirements, documents, a conftest.py) affects all of them,
and so does any change a test that starts processes or commands, whose imports are not its own.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import grimp

ROOT = Path(__file__).parents[1]
_PACKAGE = "lightmodel"
# What begins anything: a test that imports one of these may depend on every module.
_STARTERS = {"subprocess", "lightmodel.cli"}


def main() -> None:
    """Read the names of changed files, and print the affected test files, one a line."""
    changed = [line.strip() for line in sys.stdin if line.strip()]
    for test in affected(changed, [Path(folder) for folder in sys.argv[1:]]):
        print(test)


def affected(changed: Iterable[str], folders: Iterable[Path]) -> list[Path]:
    """Return the test files in `folders` that changed files can affect, all named from the repository."""
    tests = sorted(test for folder in folders for test in (ROOT / folder).rglob("test_*.py"))
    names = [PurePosixPath(name) for name in changed]
    if all(_is_imported(name) for name in names):
        reached = _reached(names)
        tests = [test for test in tests if _imports(test) & (reached | _STARTERS)]
    return [test.relative_to(ROOT) for test in tests]


def _is_imported(name: PurePosixPath) -> bool:
    """Return whether a file has an effect through imports alone; data of a package counts as part of it."""
    if name.parts[0] == _PACKAGE:
        return len(name.parts) > 1
    return name.parts[0] == "tests" and name.suffix == ".py" and name.name != "conftest.py"


def _reached(names: Iterable[PurePosixPath]) -> set[str]:
    """Return the modules that changed files belong to, and all that import these."""
    graph = _graph()
    reached = set()
    for name in names:
        module = ".".join(name.with_suffix("").parts)
        if name.parts[0] != _PACKAGE:
            reached.add(module)
        elif name.suffix == ".py" and module in graph.modules:
            reached |= {module, *graph.find_downstream_modules(module)}
        else:  # an __init__, data, or what is no more
            while module not in graph.modules:
                module = module.rpartition(".")[0]
            reached |= {module, *graph.find_descendants(module)}
            reached |= graph.find_downstream_modules(module, as_package=True)
    return reached


@cache
def _graph() -> grimp.ImportGraph:
    """Return who imports whom; to import a module is to import the packages that it lies in."""
    graph = grimp.build_graph(_PACKAGE, cache_dir=None)
    for module in graph.modules - {_PACKAGE}:
        graph.add_import(importer=module, imported=module.rpartition(".")[0])
    return graph


@cache
def _imports(test: Path) -> set[str]:
    """Return the modules that a test file imports, itself or through helpers, and its own name."""
    found, left = {".".join(test.relative_to(ROOT).with_suffix("").parts)}, [test]
    left += [path for path in _conftests(test) if _gives_fixture(path, test)]
    while left:
        for module in set(_imported(left.pop())) - found:
            found.add(module)
            helper = ROOT / f"{module.replace('.', '/')}.py"
            if module.startswith("tests.") and helper.is_file():
                left.append(helper)
    return found


def _conftests(test: Path) -> list[Path]:
    folders = test.relative_to(ROOT).parents
    return [path for folder in folders if (path := ROOT / folder / "conftest.py").is_file()]


def _gives_fixture(conftest: Path, test: Path) -> bool:
    """Return whether a function of a conftest.py is named by an argument, or by a text, of a test file."""
    named = set()
    for node in ast.walk(ast.parse(test.read_bytes())):
        if isinstance(node, ast.arg):
            named.add(node.arg)
        elif isinstance(node, ast.Constant):
            named.add(str(node.value))
    fixtures = {
        node.name
        for node in ast.walk(ast.parse(conftest.read_bytes()))
        if isinstance(node, ast.FunctionDef)
    }
    return not named.isdisjoint(fixtures)


def _imported(path: Path) -> Iterator[str]:
    """Yield the names that a file imports, and the packages that these lie in."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


if __name__ == "__main__":
    main()
