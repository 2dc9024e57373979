"""Failures of the service, each as one sentence and what to do."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests
import urllib3.exceptions

_MAX_DETAIL = (
    600  # characters of an answer that is no problem of the service, such as a proxy's page
)


@dataclass(frozen=True)
class BrokenRule:
    """One rule of the contract that rows break, as the service reports it."""

    column: str
    detail: str
    rows: tuple[int, ...] = ()
    total: int = 0


class ServiceFailure(Exception):
    """The service did not do what was asked; it ends on a page, so it has no exit code.

    Attributes:
        message: says what is wrong, in a sentence.
        hint: says what to do.
        status: its HTTP status; 0 if it did not answer.
        rules: the rules of the contract that the rows break.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int = 0, rules: tuple[BrokenRule, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        self.rules = rules


# What a user can do about a status, where the service's own hint does not say it.
_ADVICE = {
    401: "Type your key in the side bar, or ask the operator of the service for one.",
    403: "Ask the operator of the service for a key that may do this.",
    404: "The service may be of another version than this console; update both.",
    408: "The connection is too slow for a request of this size; send it in parts.",
    409: "Look again in a moment.",
    413: "Send a smaller file, or ask the operator to raise serve.max_body_mb, or the limit named.",
    415: "Send CSV, Parquet, JSON, JSON Lines or Excel.",
    429: "Wait a moment, and try again.",
    500: "The log of the service has the details; tell its operator the time.",
    502: "The service is starting, or has stopped; try again in a moment.",
    503: "Try again in a moment; if it goes on, tell the operator.",
    504: "The service is too busy; try again in a moment.",
    507: "Tell the operator: the disk of the service is full.",
}
# The service's own hint names a route, which is nothing for a reader of pages.
_OF_RULES = "Correct what is named here, and send it again."
_HEADS = {
    401: "The service does not accept the key",
    404: "The service does not know this address",
    413: "This is too large for the service",
    429: "The service gets too many requests from here",
    502: "The service does not answer behind its proxy",
    503: "The service cannot answer at the moment",
    504: "The service did not answer its proxy in time",
}


def failure_of(response: requests.Response) -> ServiceFailure:
    """Return the failure that an answer with an error status reports."""
    return failure_from(response.status_code, response.headers, _json_of(response))


def failure_from(status: int, headers: Any, problem: dict[str, Any]) -> ServiceFailure:  # noqa: ANN401 — any mapping
    """Return the failure of a status, its headers, and the problem details of the body."""
    detail = str(problem.get("detail", ""))[:_MAX_DETAIL].partition("\n")[0].rstrip(" .:")
    head = _HEADS.get(status)
    message = f"{head}: {detail}." if head and detail else f"{head or _sentence(detail, status)}."
    advice = _ADVICE.get(status, "")
    if status == HTTPStatus.TOO_MANY_REQUESTS and str(headers.get("Retry-After", "")).isdecimal():
        advice = f"Wait {headers['Retry-After']} s, and try again."
    rules = _rules_of(problem)
    hint = _OF_RULES if rules else _ended(str(problem.get("hint", ""))[:_MAX_DETAIL])
    return ServiceFailure(message, hint=hint or advice, status=status, rules=rules)


def no_answer(address: str, error: Exception) -> ServiceFailure:
    """Return the failure of a service that did not answer."""
    if isinstance(error, requests.exceptions.SSLError):
        message = f"The certificate of {address} is not trusted."
        return ServiceFailure(message, hint="Ask the operator for the address to use.")
    if isinstance(error, requests.Timeout) or _stalled(error):
        message = f"The service at {address} did not answer in time."
        hint = "It is busy or hangs: try again in a moment; if it goes on, tell the operator."
        return ServiceFailure(message, hint=hint)
    message = f"No service answers at {address}."
    hint = "Start it (`make serve`), or set console.service_url to its address."
    return ServiceFailure(message, hint=hint)


def _stalled(error: Exception) -> bool:
    """Return whether an answer began and did not go on, which requests calls an error of the connection."""
    return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ReadTimeoutError)


def _json_of(response: requests.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except (ValueError, requests.RequestException):
        return {}
    return content if isinstance(content, dict) else {}


def _sentence(detail: str, status: int) -> str:
    if not detail:
        return f"The service answered with status {status}"
    return detail[:1].upper() + detail[1:]


def _ended(text: str) -> str:
    text = text.strip()
    return f"{_sentence(text, 0).rstrip('.')}." if text else ""


def _rules_of(problem: dict[str, Any]) -> tuple[BrokenRule, ...]:
    listed = problem.get("violations")
    if not isinstance(listed, list):
        return ()
    return tuple(
        BrokenRule(
            str(one.get("column", "")),
            str(one.get("detail", "")),
            tuple(one.get("rows") or ()),
            int(one.get("total") or 0),
        )
        for one in listed
        if isinstance(one, dict)
    )
