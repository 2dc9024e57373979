"""ngrok's service as far as its agent sees it when it opens a tunnel; no request ever comes through.

Over TLS the agent multiplexes streams, in frames of length, type, flags and stream id. On each it sends a
number that says what it asks (0: who I am, 1: open an endpoint) and JSON, and is answered with JSON.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

TOKEN = "2abc_token_of_an_account"
_REFUSAL = "authentication failed: The authtoken you specified is not known.\n\nERR_NGROK_105\n"
_DATA, _FIN = 1, 1
_WHO, _OPEN = 0, 1


@dataclass
class Ngrok:
    """The state of the service.

    Attributes:
        address: host and port of it.
        authority: file of the certificate that vouches for it.
        url: that it gives to an endpoint.
        opened: what agents asked to open.
    """

    address: str
    authority: Path
    url: str = "https://just-made.ngrok-free.app"
    opened: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, kind: int, asked: dict[str, Any]) -> dict[str, Any]:
        if kind == _WHO:
            if asked["Extra"]["AuthToken"] != TOKEN:
                return {"Error": _REFUSAL}
            return {"Version": "3", "ClientId": "agent-1", "Error": "", "Extra": {}}
        if kind == _OPEN:
            self.opened.append(asked)
            endpoint = {
                "Id": "endpoint-1",
                "URL": self.url,
                "Proto": "https",
                "Extra": {"Token": ""},
            }
            return {**endpoint, "Error": "", "Opts": asked["Opts"]}
        return {"Error": ""}


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def _converse(state: Ngrok, connection: ssl.SSLSocket) -> None:
    streams: dict[int, bytes] = {}
    while True:
        head, stream = struct.unpack(">II", _exactly(connection, 8))
        body = _exactly(connection, head >> 8)
        if (head >> 4) & 0xF != _DATA:
            continue
        streams[stream] = streams.get(stream, b"") + body
        kind, asked = streams[stream][:4], streams[stream][4:]
        try:
            content = json.loads(asked)
        except ValueError:  # not all of it yet; or a heartbeat, which may go unanswered for a while
            continue
        reply = json.dumps(state.answer(int.from_bytes(kind), content)).encode()
        frame = struct.pack(">II", (len(reply) << 8) | (_DATA << 4) | _FIN, stream)
        connection.sendall(frame + reply)


def _serve(state: Ngrok, listener: socket.socket, tls: ssl.SSLContext) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            plain, _ = listener.accept()
            with suppress(OSError), tls.wrap_socket(plain, server_side=True) as connection:
                _converse(state, connection)


@contextmanager
def ngrok_service(folder: Path) -> Iterator[Ngrok]:
    """Run the service on loopback with its own certificate authority, and yield its state."""
    authority = trustme.CA()
    file = folder / "ngrok-ca.pem"
    authority.cert_pem.write_to_path(str(file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        state = Ngrok(f"localhost:{listener.getsockname()[1]}", file)
        thread = threading.Thread(target=_serve, args=(state, listener, tls), daemon=True)
        thread.start()
        yield state
