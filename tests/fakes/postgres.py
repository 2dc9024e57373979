"""PostgreSQL as a process on loopback, in a folder of its own."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.clouds import free_port

LONGEST_S = 60.0


def _program(name: str) -> str:
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found or places, f"{name} is not there; Debian's package is called postgresql"
    return found or str(places[-1])


@contextlib.contextmanager
def postgres() -> "Iterator[Postgres]":
    """Run a cluster in a folder that whoever it runs as can reach: pytest's own are shut."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        cluster = Postgres(Path(folder))
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


class Postgres:
    """A cluster that can be stopped and started; `url` has a password in it, as real ones do."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._port = free_port()
        self._user: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._user = "postgres"
            account = pwd.getpwnam(self._user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-A", "trust", "-U", "app", "--no-sync", "-E", "UTF8", "--locale=C")

    @property
    def url(self) -> str:
        return f"postgresql://app:secret-word@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = ("-k", str(self._data), "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1")
        command = (_program("postgres"), "-D", str(self._data), "-p", str(self._port), *options)
        self._process = subprocess.Popen(
            command,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + LONGEST_S
        while not self._answers():
            assert time.monotonic() < deadline, "PostgreSQL did not come up"
            assert self._process.poll() is None, "PostgreSQL ended at once"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=LONGEST_S)
            self._process = None

    def empty(self) -> None:
        """Drop what is there."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS predictions, truths")

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, name: str, *words: str) -> None:
        subprocess.run(
            (_program(name), "-D", str(self._data), *words),
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._data.parent,
            capture_output=True,
            check=True,
        )
