"""What MLflow's errors become, and what no message shows."""

from collections.abc import Callable
from typing import cast

import pytest

from lightmodel.errors import ConfigError, LightModelError, SourceUnavailable
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.tracking.client import translate_mlflow_errors
from lightmodel.tracking.pyfunc import RowModel


def of_mlflow(code: str) -> Callable[[], Exception]:
    def make() -> Exception:
        from mlflow.exceptions import RestException

        content = {"error_code": code, "message": "https://me:pw@x/?token=pw"}
        made: Exception = RestException(content)  # type: ignore[no-untyped-call]  # MLflow's own
        return made

    return make


def of_requests(status: int | None) -> Callable[[], Exception]:
    def make() -> Exception:
        import requests

        response = None
        if status:
            response = requests.Response()
            response.status_code = status
        return requests.HTTPError("of https://me:pw@x/", response=response)

    return make


def of_database() -> Exception:
    from sqlalchemy.exc import OperationalError

    return OperationalError("select", None, Exception("postgresql://me:pw@x/db"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (of_mlflow("PERMISSION_DENIED"), ConfigError),
        (of_mlflow("UNAUTHENTICATED"), ConfigError),
        (of_mlflow("INVALID_PARAMETER_VALUE"), ConfigError),
        (of_mlflow("RESOURCE_DOES_NOT_EXIST"), ConfigError),
        (of_mlflow("RESOURCE_ALREADY_EXISTS"), ConfigError),
        (of_mlflow("FEATURE_DISABLED"), ConfigError),
        (of_mlflow("INVALID_STATE"), ConfigError),
        (of_mlflow("REQUEST_LIMIT_EXCEEDED"), SourceUnavailable),
        (of_mlflow("INTERNAL_ERROR"), SourceUnavailable),
        (of_requests(403), ConfigError),
        (of_requests(503), SourceUnavailable),
        (of_requests(None), SourceUnavailable),
        (of_database, SourceUnavailable),
        (lambda: OSError("disk"), SourceUnavailable),
    ],
)
def test_a_refusal_is_a_config_error_and_any_other_failure_is_temporary(
    make: Callable[[], Exception], expected: type[LightModelError]
) -> None:
    with pytest.raises(expected) as caught, translate_mlflow_errors():
        raise make()
    assert "pw" not in f"{caught.value} {caught.value.hint}"


def test_a_missing_package_is_named() -> None:
    from importlib.metadata import version

    with (
        pytest.raises(ConfigError, match="no-such-package is not installed"),
        translate_mlflow_errors(),
    ):
        version("no-such-package")


@pytest.mark.parametrize(
    ("error", "shown"),
    [(ConfigError("wrong", hint="do this"), "wrong; do this"), (ConfigError("wrong"), "wrong")],
)
def test_a_refusal_for_mlflow_has_message_and_hint(
    monkeypatch: pytest.MonkeyPatch, error: ConfigError, shown: str
) -> None:
    from mlflow.exceptions import MlflowException

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(RowModel, "_answer", refuse)
    with pytest.raises(MlflowException) as caught:
        RowModel(cast("LoadedModel", None)).predict([{}])
    assert caught.value.args == (shown,)
