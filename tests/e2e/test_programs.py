"""Third-party programs against the real service: Postman's runner, and a fuzzer of its OpenAPI."""

import json
import subprocess
from pathlib import Path

import pytest
import requests

from tests.fakes.waiting import untraced
from tests.serve.conftest import Shop


@pytest.mark.newman
def test_postmans_collection_runs_as_it_is(shop: Shop, tmp_path: Path) -> None:
    collection = requests.get(f"{shop.address}/postman.json", timeout=60)
    assert collection.json()["variable"][0]["value"] == shop.address
    (tmp_path / "collection.json").write_bytes(collection.content)
    (tmp_path / "sample.csv").write_bytes(
        requests.get(f"{shop.address}/sample.csv", timeout=60).content
    )
    report = tmp_path / "report.json"
    command = ["newman", "run", "collection.json", "--working-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--reporters", "json,cli", "--reporter-json-export", str(report)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    stats = json.loads(report.read_text())["run"]["stats"]
    assert stats["requests"]["total"] >= 15
    assert stats["assertions"]["total"] >= 30
    assert stats["assertions"]["failed"] == stats["requests"]["failed"] == 0


@pytest.mark.schemathesis
def test_no_request_that_openapi_allows_or_forbids_breaks_the_service(
    shop: Shop, tmp_path: Path
) -> None:
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_schema_conformance"
    )
    command = ["schemathesis", "run", f"{shop.address}/openapi.json", "--checks", checks]
    done = subprocess.run(
        [*command, "--max-examples", "40", "--seed", "1", "--no-color"],
        cwd=tmp_path,
        env=untraced(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
