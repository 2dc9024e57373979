"""Remove from an environment what a serving image never reads, and prove that the rest still loads.

`python deploy/trim.py ENVIRONMENT`, in the Dockerfile. docs/decisions/0024 has the sizes.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Tests of the libraries; what compilers read; sources that browsers load only in their debugger.
_UNREAD_FOLDERS = {"test", "tests", "include"}
_UNREAD_FILES = re.compile(r".*\.(h|hpp|c|cc|cpp|pxd|pyx|pxi|pyi|map|cmake)|swagger-ui-es-.*")
# Arrow's network protocol, its clouds, and the names under which compilers find its libraries.
_UNREAD_ARROW = re.compile(
    r"lib\w*flight\w*\.so.*|_(flight|s3fs|gcsfs|azurefs|hdfs|orc|substrait)\..*\.so"
    r"|_pyarrow_cpp_tests\..*|libarrow_python\w*\.so(\.\d+\.\d+\.\d+)?"
)
# What would colour the source of languages other than Python in a terminal.
_UNREAD_LEXERS = re.compile(r"pygments/lexers/(__pycache__/)?(?!__|_mapping|python|special)\w.*")
_WITH_SYMBOLS = ("pyarrow", "uvloop", "httptools")  # they bundle nothing that auditwheel patched
_MUST_LOAD = (
    *("numpy.testing", "uvicorn", "uvloop", "httptools", "openpyxl", "psycopg"),
    *("joblib", "rich.table", "rich.progress", "pygments.lexers.python"),
    *("pyarrow.compute", "pyarrow.csv", "pyarrow.json", "pyarrow.parquet"),
    *("lightgbm", "scipy.stats", "sklearn.ensemble", "pandas", "jax", "xgboost", "catboost"),
)
_PROOF = f"""
from importlib import import_module, util
for name in {_MUST_LOAD}:
    if util.find_spec(name.partition(".")[0]):
        import_module(name)
"""


def main(environment: Path) -> None:
    """Trim an environment in place, and import what was trimmed."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    before = _megabytes(packages)
    for path in list(_unread(packages)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    libraries = [str(path) for name in _WITH_SYMBOLS for path in packages.glob(f"{name}/**/*.so*")]
    for command in (
        ["strip", "--strip-unneeded", *libraries],
        [str(environment / "bin" / "python"), "-c", _PROOF],
    ):
        subprocess.run(command, check=True)  # noqa: S603 — commands of this file
    sys.stdout.write(f"{before:.0f} MB before, {_megabytes(packages):.0f} MB now\n")


def _unread(packages: Path) -> Iterator[Path]:
    """Yield the folders and files to remove."""
    for path in sorted(packages.rglob("*")):
        place = path.relative_to(packages)
        if _UNREAD_FOLDERS & set(place.parts[:-1]):
            continue
        unread = (
            path.name in _UNREAD_FOLDERS if path.is_dir() else _UNREAD_FILES.fullmatch(path.name)
        )
        is_arrow = path.parent.name == "pyarrow" and _UNREAD_ARROW.fullmatch(path.name)
        if unread or is_arrow or _UNREAD_LEXERS.fullmatch(place.as_posix()):
            yield path


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]))
