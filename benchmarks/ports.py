"""Ports for servers that tests and benchmarks start."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Below the range from which a kernel takes the ports of clients: between the choice of such a port and
# the start of its server, any connection on the machine may get it.
FIRST, END = 10_000, 32_768


def free_port() -> int:
    """Return a port of this machine that nobody uses, and that no other call got lately."""
    taken = Path(tempfile.gettempdir()) / f"light-model-ports-{os.getuid()}"
    with taken.open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or FIRST)
        while _is_used(port := port + 1 if port + 1 < END else FIRST):
            pass
        file.truncate(0)
        file.write(str(port))
    return port


def _is_used(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
