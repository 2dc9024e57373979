"""`make audit`: pip-audit itself, and a stand-in of the OSV service on loopback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.loopback import serving
from tests.fakes.project import ROOT

KNOWN = ("jinja2", "2.4.1")
LOCKED = f"""six==1.17.0 --hash=sha256:{"1" * 64}
tenacity==9.2.1 --hash=sha256:{"2" * 64}
"""


@dataclass
class Advisories:
    """What the service knows: packages with vulnerabilities. `status` is that of its answers."""

    url: str = ""
    bad: set[tuple[str, str]] = field(default_factory=lambda: {KNOWN})
    asked: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        one = (query["package"]["name"], query["version"])
        self.asked.append(one)
        affected = {
            "package": {"name": one[0], "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
        known = {"id": f"TRIED-{one[0]}", "summary": "bad", "affected": [affected]}
        return {"vulns": [known]} if one in self.bad else {}


@pytest.fixture
def service() -> Iterator[Advisories]:
    state = Advisories()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(state.answer(json.loads(body))).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Handler) as address:
        state.url = f"{address}/v1/query"
        yield state


def audit(folder: Path, *words: str, path: str | None = None) -> tuple[int, str]:
    (folder / "locked.txt").write_text(LOCKED, encoding="ascii")
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "audit.py"), *words],
        cwd=folder,
        env={**os.environ, "PATH": os.environ["PATH"] if path is None else path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.audit
def test_what_is_vulnerable_is_named_with_the_version_that_mends_it(
    service: Advisories, tmp_path: Path
) -> None:
    service.bad.add(("six", "1.17.0"))
    code, said = audit(tmp_path, "--osv-url", service.url, "locked.txt")
    assert (code, said.splitlines()) == (
        1,
        ["six 1.17.0: TRIED-six; fixed in 99", "known vulnerabilities: 1, in 2 packages asked for"],
    )


@pytest.mark.audit
def test_good_news_come_from_a_service_that_knows_bad_ones(
    service: Advisories, tmp_path: Path
) -> None:
    code, said = audit(tmp_path, "--osv-url", service.url, "locked.txt")
    assert (code, said) == (0, "no known vulnerability in 2 packages\n")
    assert sorted(service.asked) == [KNOWN, ("six", "1.17.0"), ("tenacity", "9.2.1")]


@pytest.mark.audit
def test_a_service_without_advisories_is_no_good_news(service: Advisories, tmp_path: Path) -> None:
    service.bad.clear()
    code, said = audit(tmp_path, "--osv-url", service.url, "locked.txt")
    assert code == 75
    assert said.startswith("NOT AUDITED: there is no advisory data: it does not know jinja2 2.4.1")


@pytest.mark.audit
def test_a_service_that_fails_or_does_not_answer_is_no_good_news(
    service: Advisories, tmp_path: Path
) -> None:
    service.status = 503
    for url in (service.url, "http://127.0.0.1:9/v1/query"):
        code, said = audit(tmp_path, "--osv-url", url, "locked.txt")
        assert code == 75
        assert said.startswith("NOT AUDITED: there is no advisory data: ")


@pytest.mark.audit
def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert shutil.which("pip-audit")
    assert audit(tmp_path, "nowhere.txt") == (78, "there is no file nowhere.txt\n")


def test_without_pip_audit_the_error_says_what_installs_it(tmp_path: Path) -> None:
    code, said = audit(tmp_path, "locked.txt", path="/nonexistent")
    assert (code, said) == (78, "pip-audit is not installed: `make audit` installs it\n")
