"""A user's file of Python is read, executed once for each content, and found again by its hash."""

import pickle
from pathlib import Path

import pytest

from lightmodel.errors import ConfigError
from lightmodel.store.user_code import execute, read_user_code


def code_in(text: str) -> Path:
    path = Path("mine.py")
    path.write_text(text, encoding="utf-8")
    return path


def test_functions_are_found_by_name() -> None:
    code = read_user_code(code_in("def features(table):\n    return table\n\nestimator = 3\n"))
    assert code.file == "code/mine.py"
    function = code.function("features")
    assert function is not None
    assert function("table") == "table"
    assert code.function("nothing") is None
    with pytest.raises(ConfigError, match="estimator is not a function"):
        code.function("estimator")


def test_two_contents_live_side_by_side_and_their_pickles_find_them() -> None:
    old = execute("code/mine.py", b"class Scale:\n    factor = 2\n").module
    new = execute("code/mine.py", b"class Scale:\n    factor = 3\n").module
    assert execute("code/other.py", b"class Scale:\n    factor = 2\n").module is old
    kept = [pickle.loads(pickle.dumps(module.Scale())) for module in (old, new)]
    assert [one.factor for one in kept] == [2, 3]


@pytest.mark.parametrize("text", ["def (", "1 / 0", "import no_such_package_anywhere", "exit(3)"])
def test_the_error_names_a_file_that_cannot_be_executed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"mine\.py cannot be executed"):
        read_user_code(code_in(text))


def test_a_missing_file_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match=r"train\.module = 'nowhere\.py' cannot be read"):
        read_user_code(Path("nowhere.py"))
