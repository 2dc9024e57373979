"""PostgreSQL as a process on loopback, in a folder of its own."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ports import free_port
from tests.fakes.waiting import LONGEST_S, wait_until


def _program(name: str) -> str:
    on_path = shutil.which(name)
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert on_path or installed, f"{name} is not installed; Debian's package is postgresql"
    return on_path or str(installed[-1])


@contextlib.contextmanager
def postgres() -> "Iterator[Postgres]":
    """Run a cluster in a folder that its user may enter, unlike pytest's, and yield it."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        cluster = Postgres(Path(folder))
        try:
            cluster.start()
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
        wait_until(self._answers, "PostgreSQL's start", process=self._process)

    def stop(self) -> None:
        """Stop the cluster; open connections are closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=LONGEST_S)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def empty(self) -> None:
        """Drop the log's tables."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS predictions, shadow_predictions, truths")

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=30).close()
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
