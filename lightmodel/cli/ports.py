"""Check that a port is free before a server starts: its own error would be a traceback, or come late."""

import errno
import socket
import time

from lightmodel.errors import ConfigError

_PORT_TRIES, _PORT_PAUSE_S = 5, 1.0  # a service that is just stopping lets go of its port


def check_port(host: str, port: int, setting: str) -> None:
    """Raise ConfigError where another process keeps the port that a setting names."""
    for attempt in range(_PORT_TRIES):
        if not _in_use(host, port):
            return
        if attempt < _PORT_TRIES - 1:
            time.sleep(_PORT_PAUSE_S)
    raise ConfigError(
        f"port {port} is in use by another process",
        hint=f"stop that process, or choose another port: --set {setting}={port + 1}, or "
        f"LIGHTMODEL__{setting.replace('.', '__').upper()}={port + 1} in the environment",
    )


def _in_use(host: str, port: int) -> bool:
    """Return whether the address is taken; any other fault of it is left to gunicorn."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host.strip("[]"), port))
            tried.listen()
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
