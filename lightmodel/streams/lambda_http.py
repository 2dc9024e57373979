"""HTTP events of AWS Lambda, of API Gateway, load balancers and function URLs, as ASGI describes them."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

Event = Mapping[str, Any]
Headers = list[tuple[bytes, bytes]]

MAX_ANSWER_BYTES = 6 * 1_000_000 - 64_000  # Lambda's limit is 6 MB, with the headers
_TEXTS = ("text/", "application/json", "application/problem+json", "application/x-ndjson")


def is_http(event: object) -> bool:
    """Return whether an event is an HTTP request."""
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return False
    return "httpMethod" in event or "http" in event["requestContext"]


def scope_of(event: Event) -> tuple[dict[str, Any], bytes]:
    """Return the ASGI scope of a request, and its body."""
    context = event["requestContext"]
    scope = _scope_of_rest(event) if "httpMethod" in event else _scope_of_url(event, context)
    body = event.get("body") or ""
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    names = {name for name, _ in scope["headers"]}
    if b"content-length" not in names:
        scope["headers"].append((b"content-length", b"%d" % len(data)))
    return scope, data


def _scope_of_url(event: Event, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope of an event of format 2.0: function URLs and HTTP APIs."""
    http, stage = context["http"], context.get("stage", "$default")
    path = event.get("rawPath") or "/"
    if stage != "$default":
        path = path.removeprefix(f"/{stage}") or "/"
    headers = _encoded((event.get("headers") or {}).items())
    if cookies := event.get("cookies"):
        headers.append((b"cookie", "; ".join(cookies).encode("latin-1", "replace")))
    address = http.get("sourceIp", "")
    return _scope(http["method"], path, event.get("rawQueryString") or "", headers, address)


def _scope_of_rest(event: Event) -> dict[str, Any]:
    """Return the scope of an event of format 1.0: REST APIs and load balancers."""
    several = event.get("multiValueQueryStringParameters")
    single = event.get("queryStringParameters") or {}
    query = urlencode(several or single, doseq=True)
    fields = event.get("multiValueHeaders")
    pairs = (
        ((name, value) for name, values in fields.items() for value in values)
        if fields
        else (event.get("headers") or {}).items()
    )
    address = event["requestContext"].get("identity", {}).get("sourceIp", "")
    path = quote(event.get("path") or "/", safe="/%:@!$&'()*+,;=~")
    return _scope(event["httpMethod"], path, query, _encoded(pairs), address)


def _encoded(fields: Iterable[tuple[str, str]]) -> Headers:
    return [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in fields
    ]


def _scope(method: str, path: str, query: str, headers: Headers, address: str) -> dict[str, Any]:
    host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "lambda")
    return {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "http_version": "1.1",
        "scheme": "https",
        "server": (host.partition(":")[0], 443),
        "client": (address, 0) if address else None,
        "headers": headers,
    }


def answer_of(event: Event, status: int, headers: Headers, body: bytes) -> dict[str, Any]:
    """Return the response in the event's own format; one that Lambda would not deliver becomes a 413."""
    if len(body) > MAX_ANSWER_BYTES:
        status, headers = 413, [(b"content-type", b"application/problem+json")]
        body = (
            b'{"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": '
            b'"the answer is larger than the 6 MB that a Lambda function may return; send fewer rows"}'
        )
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    kind = next((value for name, value in fields if name == "content-type"), "")
    is_text = kind.startswith(_TEXTS) and not any(name == "content-encoding" for name, _ in fields)
    answer: dict[str, Any] = {
        "statusCode": status,
        "isBase64Encoded": not is_text,
        "body": body.decode() if is_text else base64.b64encode(body).decode(),
    }
    if "multiValueHeaders" in event:
        several: dict[str, list[str]] = {}
        for name, value in fields:
            several.setdefault(name, []).append(value)
        return {**answer, "multiValueHeaders": several}
    return {**answer, "headers": dict(fields)}
