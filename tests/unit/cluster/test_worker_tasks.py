"""What workers run, without any worker: tasks, shared values, and the comparison of versions."""

import pickle
import sys

import pytest

from lightmodel.cluster.client import open_cluster
from lightmodel.cluster.versions import reject_other_versions, versions_here
from lightmodel.cluster.worker import SharedValue, as_pickled, run_task
from lightmodel.config import DaskSection
from lightmodel.errors import ConfigError, DataError
from tests.fakes.cluster_tasks import add, fail


def test_a_task_calls_its_function_with_the_shared_value_first() -> None:
    call = as_pickled((add, (2,)))
    assert run_task(versions_here(), call, SharedValue(as_pickled(40))).value == 42
    assert run_task(versions_here(), as_pickled((add, (1, 2))), None).value == 3


def test_an_error_of_the_function_is_returned_with_its_hint() -> None:
    error = run_task(versions_here(), as_pickled((fail, ("data",))), None).error
    assert isinstance(error, DataError)
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.hint) == ("no rows", "add some")


def test_an_error_that_cannot_be_sent_is_said_by_another() -> None:
    error = run_task(versions_here(), as_pickled((fail, ("other",))), None).error
    assert type(error) is RuntimeError
    assert str(error) == "Unpicklable: cannot be sent"


def test_a_shared_value_is_unpickled_once() -> None:
    received: SharedValue = pickle.loads(pickle.dumps(SharedValue(as_pickled([1, 2]))))
    assert received.value() == [1, 2]
    assert received.value() is received.value()


def test_a_shared_value_is_named_by_its_content_and_has_its_size() -> None:
    one, same, other = (SharedValue(as_pickled(value)) for value in (b"a" * 999, b"a" * 999, b"b"))
    assert one.key == same.key != other.key
    assert sys.getsizeof(one) > 999


def test_a_task_of_another_release_is_refused() -> None:
    theirs = {**versions_here(), "light-model": "0.0.9 (code 01234567)"}
    error = run_task(theirs, as_pickled((add, (1, 2))), None).error
    assert isinstance(error, ConfigError)
    assert "instead of 0.0.9 (code 01234567)" in error.message


@pytest.mark.parametrize("name", ["Python", "numpy", "lightgbm"])
def test_another_version_is_refused_by_name(name: str) -> None:
    here = {**versions_here(), name: "0.0"}
    with pytest.raises(ConfigError, match=f"tcp://a of .* has other versions: {name} 0.0"):
        reject_other_versions(versions_here(), "tcp://a", here)


def test_a_library_that_only_one_of_them_has_matters_only_if_it_is_needed() -> None:
    ours = {**versions_here(), "catboost": "1.2"}
    theirs = {name: one for name, one in ours.items() if name != "catboost"}
    reject_other_versions(ours, "the worker", theirs)
    with pytest.raises(ConfigError, match=r"catboost 1\.1 instead of 1\.2"):
        reject_other_versions(ours, "the worker", {**theirs, "catboost": "1.1"})
    with pytest.raises(ConfigError, match="numpy none instead of"):
        reject_other_versions(ours, "the worker", {**ours, "numpy": ""})


def test_without_dask_the_file_of_its_requirements_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    section = DaskSection(scheduler="tcp://127.0.0.1:1", engine="dask", timeout_s=30)
    with pytest.raises(ConfigError, match="needs Dask, which is not installed") as caught:
        open_cluster(section)
    assert caught.value.hint == "pip install -r requirements/dask.txt"
