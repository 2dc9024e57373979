"""A typed client of the service: what the console asks it, with every failure as a ServiceFailure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import requests
from pydantic import BaseModel, ConfigDict, ValidationError

from lightmodel import __version__
from lightmodel.console.failures import ServiceFailure, failure_of, no_answer

_Answer = TypeVar("_Answer", bound=BaseModel)
_CONNECT_S = 5.0
_LOOKED_AT = {404, 503}  # what a training answers that does not exist, or whose Jenkins is down
_AGENT = f"light-model-console/{__version__}"


class Received(BaseModel):
    """Something that the service sends; fields that the console does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Limits(Received):
    """The smallest and the largest value of a column."""

    minimum: float | str | None = None
    maximum: float | str | None = None


class ColumnInfo(Received):
    """A column that a request may have."""

    name: str
    role: Literal["feature", "id"]
    type: str
    required: bool = True
    may_be_missing: bool = False
    seen: Limits | None = None
    allowed: Limits | None = None
    categories: tuple[Any, ...] = ()
    categories_withheld: int = 0


class AnswerInfo(Received):
    """What the model predicts; `explain` is the largest number of contributions to ask for."""

    task: Literal["binary", "multiclass", "regression"]
    labels: tuple[Any, ...] = ()
    positive: Any = None
    threshold: float | None = None
    target: str
    explain: int = 0


class Schema(Received):
    """The contract of the served model: `GET /schema`."""

    version: str
    columns: tuple[ColumnInfo, ...]
    on_missing: str = "warn"
    on_out_of_range: str = "warn"
    answer: AnswerInfo
    max_body_mb: int = 512

    @property
    def features(self) -> tuple[ColumnInfo, ...]:
        """The columns that the model reads, in training order."""
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def id(self) -> ColumnInfo | None:
        """The column that identifies a row, if there is one."""
        return next((column for column in self.columns if column.role == "id"), None)


class _Sample(Received):
    values: dict[str, Any]


class ModelInfo(Received):
    """The manifest of the served model, as far as the console shows it: `GET /model`."""

    created: str = ""
    samples: tuple[_Sample, ...] = ()
    metrics: dict[str, float | None] = {}


class FeedbackCounts(Received):
    """What the service did with labels: `POST /feedback`."""

    rows: int
    matched: int
    unmatched: int
    without_label: int = 0


@dataclass(frozen=True)
class RowAnswer:
    """The answer to one row, and the headers that warn of what was unusual about it."""

    row: dict[str, Any]
    headers: Mapping[str, str]


class ServiceClient:
    """Asks the service; every method raises ServiceFailure."""

    def __init__(self, address: str, key: str = "", timeout_s: float = 30.0) -> None:
        self.address = address
        self._timeout = (min(_CONNECT_S, timeout_s), timeout_s)
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": _AGENT, **key_headers(key)})

    def needs_key(self) -> bool:
        """Return whether the service turns away callers without a key."""
        response = self._send("GET", "version", headers={"X-API-Key": None})
        if response.status_code == requests.codes.unauthorized:
            return True
        self._check(response)
        return False

    def check_key(self) -> None:
        """Return if the service accepts the key of this client."""
        self._check(self._send("GET", "version"))

    def accepts_token(self, token: str) -> bool:
        """Return whether a training token may change something: ask for a training that does not exist.

        Raises:
            ServiceFailure: nobody may, or the service did not look at the token.
        """
        response = self._send("GET", "train/0", headers=token_headers(token))
        if response.status_code == requests.codes.unauthorized:
            return False
        if response.status_code not in _LOOKED_AT:
            self._check(response)
        return True

    def schema(self) -> Schema:
        """Return the contract of the served model."""
        return self._read(Schema, self._get("schema"))

    def model(self) -> ModelInfo:
        """Return what is known about the served model."""
        return self._read(ModelInfo, self._get("model"))

    def metrics(self) -> str:
        """Return the metrics, in Prometheus' text format."""
        return self._get("metrics").text

    def predict_row(
        self, record: Mapping[str, Any], *, explain: int = 0, threshold: float | None = None
    ) -> RowAnswer:
        """Return the answer to one row, with `explain` contributions."""
        options: dict[str, Any] = {"explain": explain or None, "threshold": threshold}
        response = self._send("POST", "predict", params=options, json=record)
        self._check(response)
        answers = response.json()
        if not isinstance(answers, list) or len(answers) != 1:
            raise self._is_another_program()
        return RowAnswer(answers[0], response.headers)

    def get_json(self, path: str, **params: object) -> Any:  # noqa: ANN401 — for the pages on models
        """Return the JSON that a path of the service answers with."""
        response = self._get(path, params)
        try:
            return response.json()
        except ValueError:
            raise self._is_another_program() from None

    def post_json(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:  # noqa: ANN401 — the same
        """Return what a path of the service answers to a JSON body."""
        response = self._send("POST", path, json=body, headers=headers)
        self._check(response)
        try:
            return response.json()
        except ValueError:
            raise self._is_another_program() from None

    def get_bytes(self, path: str) -> bytes:
        """Return the file that a path of the service answers with."""
        return self._get(path).content

    def _get(self, path: str, params: Mapping[str, object] | None = None) -> requests.Response:
        response = self._send("GET", path, params=params)
        self._check(response)
        return response

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 — those of requests
        try:
            return self._session.request(
                method, f"{self.address}/{path}", timeout=self._timeout, **options
            )
        except requests.RequestException as error:
            raise no_answer(self.address, error) from None
        except UnicodeError:  # of a header, which holds letters of Latin-1 only
            raise ServiceFailure(
                "A key or token has letters of another alphabet, which no service accepts.",
                hint="Copy it again, and type nothing around it.",
                status=401,
            ) from None

    def _check(self, response: requests.Response) -> None:
        if not response.ok:
            raise failure_of(response)

    def _read(self, kind: type[_Answer], response: requests.Response) -> _Answer:
        try:
            return kind.model_validate(json.loads(response.content))
        except (ValueError, ValidationError):
            raise self._is_another_program() from None

    def _is_another_program(self) -> ServiceFailure:
        return ServiceFailure(
            f"What answers at {self.address} is not a service that this console knows.",
            hint="Set console.service_url to the address of the service, and use the same version of both.",
        )


def token_headers(token: str) -> dict[str, str]:
    """Return the headers that carry the training token."""
    return {"X-Train-Token": token}


def key_headers(key: str) -> dict[str, str]:
    """Return the headers that carry a key; none without one."""
    return {"X-API-Key": key} if key else {}
