"""The routes for files: what a browser sends is passed on while it arrives, its answer kept on the disk."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import anyio
import pyarrow as pa
import requests
from anyio import from_thread, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lightmodel.console.failures import ServiceFailure, failure_of, no_answer
from lightmodel.console.files.answers import Answer
from lightmodel.console.files.exchange import FileExchange, Ticket
from lightmodel.console.files.summary import summarise, without_formulas
from lightmodel.console.service_client import ServiceClient, key_headers
from lightmodel.errors import LightModelError
from lightmodel.files import translate_os_errors

PATH = "files"
_CONCURRENT = 16
_CONNECT_S, _WAIT_S = 5.0, 20.0
_PIECE = 1 << 18
_MAX_NAME = 200
_MAX_DRAINED_S = 20.0
_EXTENSIONS = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".json", ".jsonl", ".ndjson", ".xlsx")


def routes(exchange: FileExchange) -> list[Route]:
    """Return the routes: a check before a file is sent, the file, and the download of its answer."""
    base = f"/{exchange.settings.base_path}/{PATH}".replace("//", "/")
    limiter = anyio.CapacityLimiter(_CONCURRENT)
    relay = _Relay(exchange, limiter)
    return [
        Route(f"{base}/send", relay.check, methods=["GET"]),
        Route(f"{base}/send", relay.send, methods=["POST"]),
        Route(f"{base}/answers/{{key}}", relay.download, methods=["GET"]),
    ]


class _Relay:
    def __init__(self, exchange: FileExchange, limiter: anyio.CapacityLimiter) -> None:
        self._exchange, self._settings, self._limiter = exchange, exchange.settings, limiter

    async def check(self, request: Request) -> Response:
        """Answer whether the service would take a file: a failure is known before the file is sent."""
        try:
            ticket = self._ticket(request)
            await to_thread.run_sync(self._client(ticket).schema)
        except ServiceFailure as failure:
            return _failed(failure)
        return JSONResponse({})

    async def send(self, request: Request) -> Response:
        """Pass a file on while it arrives, and return the id of its answer, or what the service counted."""
        try:
            ticket = self._ticket(request)
            name = unquote(request.headers.get("X-File-Name", ""))[:_MAX_NAME] or "the file"
            post = partial(self._post, ticket, name, _Body(request))
            outcome = await to_thread.run_sync(post, limiter=self._limiter)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except ServiceFailure as failure:
            await _drain(request)
            return _failed(failure)
        return JSONResponse(outcome)

    async def download(self, request: Request) -> Response:
        """Return an answer as a file."""
        answer = self._exchange.answers.get(request.path_params["key"])
        if answer is None:
            return Response("The answer is no longer kept; send the file again.", 404)
        name = quote(f"{_stem(answer.name)}-predictions.csv")
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Cache-Control": "no-store",
        }
        if answer.summary.has_formulas:
            blocks = without_formulas(answer.path)
            return StreamingResponse(blocks, headers=headers, media_type="text/csv")
        return FileResponse(answer.path, headers=headers, media_type="text/csv")

    def _ticket(self, request: Request) -> Ticket:
        ticket = self._exchange.ticket(request.headers.get("X-Ticket", ""))
        if ticket is None:
            raise ServiceFailure(
                "This page is too old to send a file.", hint="Reload it.", status=403
            )
        return ticket

    def _post(self, ticket: Ticket, name: str, body: "_Body") -> dict[str, Any]:
        """Send a file to the service; return the id of the answer, or what the service counted."""
        started = time.monotonic()
        headers = {"Content-Type": "application/octet-stream", **key_headers(ticket.key)}
        headers["Accept"] = "text/csv" if ticket.purpose == "predict" else "application/json"
        try:
            with requests.post(
                f"{self._settings.service_url}/{ticket.purpose}",
                data=body,
                headers=headers,
                stream=True,
                timeout=(_CONNECT_S, self._settings.file_timeout_s),
            ) as response:
                if not response.ok:
                    raise failure_of(response)
                if ticket.purpose == "feedback":
                    counts: dict[str, Any] = response.json()
                    return {"counts": counts, "name": name}
                return {"answer": self._keep(ticket, name, response, started).id}
        except requests.RequestException as error:
            raise self._broken(error, body, ticket) from None

    def _broken(
        self, error: requests.RequestException, body: "_Body", ticket: Ticket
    ) -> ServiceFailure:
        """Return the failure of a connection that broke; one in the middle of a file says little itself."""
        if not (isinstance(error, requests.ConnectionError) and 0 < body.sent < len(body)):
            return no_answer(self._settings.service_url, error)
        try:
            self._client(ticket).schema()
        except ServiceFailure as failure:
            return failure
        return ServiceFailure(
            "The service broke the connection before the end of the file.",
            hint="Send it again, or in parts: it may be larger than serve.max_body_mb.",
        )

    def _client(self, ticket: Ticket) -> ServiceClient:
        timeout_s = min(_WAIT_S, self._settings.timeout_s)
        return ServiceClient(self._settings.service_url, ticket.key, timeout_s)

    def _keep(
        self, ticket: Ticket, name: str, response: requests.Response, started: float
    ) -> Answer:
        path = self._exchange.answers.new_path()
        try:
            size = self._write(path, response)
            answer = Answer(
                id=path.name,
                owner=ticket.owner,
                name=name,
                path=path,
                summary=summarise(path, ticket.classes),
                headers=response.headers,
                seconds=time.monotonic() - started,
                created=self._exchange.answers.clock(),
                bytes=size,
            )
        except (pa.ArrowInvalid, StopIteration, ValueError):
            path.unlink(missing_ok=True)
            raise ServiceFailure(
                "The answer of the service cannot be read.",
                hint="Use the same version of the service and of this console.",
            ) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._exchange.answers.add(answer)
        return answer

    def _write(self, path: Path, response: requests.Response) -> int:
        size = 0
        try:
            with translate_os_errors(path, ""), path.open("wb") as file:
                for piece in response.iter_content(_PIECE):
                    size += len(piece)
                    if size > self._exchange.answers.max_bytes:
                        raise ServiceFailure(
                            f"The answer is larger than {self._settings.max_answers_mb} MB.",
                            hint="Send the file in parts, or ask for a larger console.max_answers_mb.",
                            status=413,
                        )
                    file.write(piece)
        except LightModelError:
            raise ServiceFailure(
                "The console cannot keep the answer: its disk is full, or may not be written to.",
                hint="Tell the operator of the console (console.folder).",
                status=507,
            ) from None
        return size


class _Body:
    """The body of a request, for a thread that sends it on; reading waits for the browser.

    Raises:
        ServiceFailure: it is empty.
    """

    def __init__(self, request: Request) -> None:
        self._blocks: AsyncIterator[bytes] = request.stream()
        self._length = int(request.headers.get("Content-Length", "0"))
        self.sent = 0
        if not self._length:
            raise ServiceFailure("The file is empty.", hint="Choose another one.", status=400)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        while block := from_thread.run(self._next):
            self.sent += len(block)
            yield block

    async def _next(self) -> bytes:
        return await anext(self._blocks, b"")


async def _drain(request: Request) -> None:
    """Read on for a while: a browser that is still sending would not read the failure."""
    with anyio.move_on_after(_MAX_DRAINED_S):
        try:
            async for _ in request.stream():
                pass
        except (ClientDisconnect, RuntimeError):  # it is gone, or all was read
            return


def _failed(failure: ServiceFailure) -> Response:
    """Return a failure as the page shows it."""
    content = {
        "message": failure.message,
        "hint": failure.hint,
        "status": failure.status,
        "rules": [asdict(rule) for rule in failure.rules[:50]],
        "more_rules": max(0, len(failure.rules) - 50),
    }
    return Response(
        json.dumps({"failure": content}), failure.status or 502, media_type="application/json"
    )


def _stem(name: str) -> str:
    """Return the name of a file without its extensions."""
    lower = name.lower()
    while lower.endswith(_EXTENSIONS):
        name = name[: name.rindex(".")]
        lower = name.lower()
    return name or "rows"
