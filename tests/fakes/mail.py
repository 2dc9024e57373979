"""A mail server on the loopback interface that wants STARTTLS and a login, and keeps what it receives."""

import email
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

import trustme

from benchmarks.ports import free_port

USER, PASSWORD = "light-model", "hush/hush:@"


@dataclass
class MailServer:
    """A server that runs.

    Attributes:
        settings: a table [[notify]] for it, but for its last keys.
        environ: what a process needs in order to trust it and to log in.
        received: the messages so far.
    """

    settings: str
    environ: Mapping[str, str]
    received: list[Message] = field(default_factory=list)

    def subjects(self) -> list[str]:
        """Return the subjects of the messages so far, each on one line."""
        headers = (str(make_header(decode_header(one["Subject"]))) for one in self.received)
        return [re.sub(r"\s*\n\s*", " ", header) for header in headers]

    async def handle_DATA(  # noqa: N802 — the name that aiosmtpd calls
        self, _server: object, _session: object, envelope: Any
    ) -> str:
        """Keep a message."""
        self.received.append(email.message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server(folder: Path) -> Iterator[MailServer]:
    """Run a server whose certificates are kept in this folder."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    port = free_port()
    url = f"mailto://{USER}:${{NOTIFY_PASSWORD}}@localhost:{port}"
    query = "smtp=localhost&mode=starttls&from=ci@example.org&to=team@example.org"
    server = MailServer(
        f'[[notify]]\nurls = ["{url}?{query}"]\n',
        {
            "SSL_CERT_FILE": str(folder / "ca.pem"),
            "NOTIFY_PASSWORD": PASSWORD,
        },
    )

    def login(_server: object, _session: object, _envelope: object, _kind: str, data: Any) -> Any:
        known = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == known)

    controller = Controller(
        server,
        hostname="localhost",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=login,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
