"""What MLflow says of a failure, as an error of this project."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, LightModelError, SourceUnavailable

_REFUSALS = frozenset(
    {
        *("UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED", "FEATURE_DISABLED"),
        *("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "ENDPOINT_NOT_FOUND", "NOT_FOUND"),
        *("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"),
    }
)
_REFUSED_STATUS = re.compile(r"error code (40[0134]) ")
_LONGEST = 300


@contextmanager
def told() -> Iterator[None]:
    """Turn what MLflow raises into one message; see `Tracker` for which errors.

    Raises:
        SourceUnavailable: it does not answer, or not now.
        ConfigError: it refuses.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        raise _known(error.error_code, error.message) from error
    except RequestException as error:
        response = error.response
        refused = response is not None and response.status_code in {400, 401, 403, 404}
        raise _known("BAD_REQUEST" if refused else "", str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise _known("", str(error)) from error
    except PackageNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed", hint="install what made it") from error


def _known(code: str, message: str) -> LightModelError:
    words = redacted(" ".join(message.split()))[:_LONGEST]
    if code in _REFUSALS or _REFUSED_STATUS.search(message):
        return ConfigError(
            f"MLflow refuses: {words}", hint="look at tracking.uri and who may write there"
        )
    return SourceUnavailable(
        f"MLflow does not answer: {words}",
        hint="`python -m lightmodel tracking resend` delivers what waits, once it does",
    )


def as_refusal(error: LightModelError) -> Exception:
    """Give an error of this project as one that MLflow's scoring server shows to whoever asked."""
    from mlflow.exceptions import MlflowException

    words = f"{error.message}; {error.hint}" if error.hint else error.message
    refusal: Exception = MlflowException.invalid_parameter_value(words)
    return refusal
