"""The page as the server renders it, before any script runs."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.csv as arrow_csv
import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from lightmodel.config import load
from lightmodel.service import create_app
from tests.fakes.odd_names import FEW, MANY, MARKUP, NAMES, SETTINGS, odd_table
from tests.fakes.project import Project

_POLICY = "Content-Security-Policy"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose column names and labels hold markup and template code."""
    project = Project(tmp_path_factory.mktemp("odd"))
    arrow_csv.write_csv(odd_table(), project.folder / "odd.csv")
    project.settings(SETTINGS)
    assert project.run().code == 0
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A copy that a test may damage."""
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


@pytest.fixture
def client(project: Project) -> Iterator[FlaskClient]:
    with create_app(load(project.folder / "config.toml", [], {}).config).test_client() as opened:
        yield opened


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def test_the_page_loads_only_its_own_files_and_needs_no_inline_code(
    client: FlaskClient,
) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers[_POLICY]
    page = Tags(answer.text)
    assert all(tag != "style" for tag, _ in page.tags)
    for _, attributes in page.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    (script,) = page.named("script")
    assert script["src"] == "static/page.js"
    for attributes in page.named("a", "link", "img", "script"):
        address = attributes.get("href") or attributes.get("src") or ""
        assert not address.startswith(("/", "http:", "https:", "data:", "//")), address


def files_of_the_page(client: FlaskClient) -> set[str]:
    """Request every file that a browser loads with the page; return their names."""
    page = Tags(client.get("/").text)
    named = [one.get("src") or one.get("href") for one in page.named("script", "link", "img")]
    pending, seen = [name for name in named if name], set()
    while pending:
        name = pending.pop()
        answer = client.get(f"/{name}", buffered=True)
        assert answer.status_code == 200, name
        assert answer.headers["ETag"]
        seen.add(name)
        imports = (f"static/{each}" for each in re.findall(r'from "\./(\w+\.js)"', answer.text))
        pending += [each for each in imports if each not in seen]
    return seen


def test_every_file_that_the_page_loads_exists(client: FlaskClient) -> None:
    wanted = {"page.js", "row.js", "file.js", "histogram.js", "page.css", "icon.svg"}
    assert {f"static/{name}" for name in wanted} <= files_of_the_page(client)


@pytest.mark.usefixtures("no_time_passes")
def test_opening_the_page_counts_as_one_request_of_a_rate_limit(project: Project) -> None:
    limited = load(project.folder / "config.toml", ["serve.rate_limit=2", "serve.workers=1"], {})
    with create_app(limited.config).test_client() as client:
        assert len(files_of_the_page(client)) > 2
        assert client.get("/schema").status_code == 200
        assert client.get("/schema").status_code == 429


def test_every_link_of_the_page_works(client: FlaskClient) -> None:
    links = {one["href"] or "" for one in Tags(client.get("/").text).named("a")}
    for link in links:
        if not link.startswith("#"):
            assert client.get(f"/{link}").status_code == 200, link


def test_names_with_markup_are_escaped(client: FlaskClient) -> None:
    text = client.get("/").text
    assert MARKUP not in text
    assert str(escape(MARKUP)) in text
    assert ">{{ 7 * 7 }} {% raw %}</label>" in text
    facts = Tags(text).named("main")[0]["data-facts"]
    names = json.loads(facts or "")["names"]
    assert names[: len(NAMES)] == list(NAMES)


def test_each_feature_has_a_control_that_matches_the_contract(client: FlaskClient) -> None:
    page = Tags(client.get("/").text)
    facts = json.loads(page.named("main")[0]["data-facts"] or "")
    controls = {
        attributes["id"]: (tag, attributes)
        for tag, attributes in page.tags
        if tag in {"input", "select"}
    }
    first = facts["samples"][0]
    for at, name in enumerate(facts["names"]):
        tag, attributes = controls[f"f{at}"]
        if name in NAMES:
            assert (tag, attributes["type"], attributes["step"]) == ("input", "number", "any")
            assert attributes["value"] == first["values"][at]
            assert float(attributes["min"] or "") < float(attributes["max"] or "")
        if name == FEW:
            assert tag == "select"
        if name == MANY:
            assert attributes["list"] == f"l{at}"
    assert controls["row-id"][1]["value"] == first["id"]
    assert "search" in controls


def test_labels_and_descriptions_refer_to_existing_elements(client: FlaskClient) -> None:
    page = Tags(client.get("/").text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("for", "aria-describedby", "aria-labelledby", "list"):
            assert set((attributes.get(name) or "").split()) <= set(ids)


def test_the_model_section_has_both_kinds_of_metrics_and_links_to_existing_files(
    client: FlaskClient, project: Project
) -> None:
    text = client.get("/").text
    manifest = json.loads((project.models()[0] / "manifest.json").read_bytes())
    verdict = json.loads((project.models()[0] / "verdict.json").read_bytes())
    assert manifest["version"] in text
    assert f"<td>{manifest['metrics']['macro_f1']:.4f}</td>" in text
    assert f"<td>{verdict['metrics']['macro_f1']:.4f}</td>" in text
    links = [attributes["href"] for attributes in Tags(text).named("a")]
    assert {"model/report", "model/importance.png", "docs", "schema", "sample.csv"} <= set(links)


@pytest.mark.parametrize("path", ["/", "/model/report", "/model/importance.png"])
def test_an_unchanged_page_or_file_is_not_sent_again(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_report_is_sent_unchanged_with_its_own_content_security_policy(
    client: FlaskClient, project: Project
) -> None:
    answer = client.get("/model/report")
    assert answer.data == (project.models()[0] / "report.html").read_bytes()
    assert answer.headers[_POLICY] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    assert "script" not in {tag for tag, _ in Tags(answer.text).tags}


def test_the_image_is_sent_unchanged(client: FlaskClient, project: Project) -> None:
    answer = client.get("/model/importance.png")
    assert answer.mimetype == "image/png"
    written = project.models()[0] / "feature_importance_gain.png"
    assert answer.data == written.read_bytes()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("report.html", "/model/report"),
        ("feature_importance_gain.png", "/model/importance.png"),
    ],
)
def test_a_modified_file_is_not_sent(
    client: FlaskClient, project: Project, name: str, path: str
) -> None:
    assert client.get("/").status_code == 200  # the model is loaded; the damage comes after
    file = project.models()[0] / name
    file.write_bytes(file.read_bytes() + b"<script>")
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert client.get("/").status_code == 200
    file.unlink()
    assert client.get(path).status_code == 503
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/model/verdict.json", "/model/model.joblib", "/model/../x"])
def test_no_other_file_of_a_version_is_sent(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_without_a_model_the_page_says_what_to_do(tmp_path: Path) -> None:
    with create_app(load(None, [f"store.root={tmp_path / 'none'}"], {}).config).test_client() as at:
        answer = at.get("/")
    assert answer.status_code == 503
    assert answer.mimetype == "text/html"
    assert "there is no approved model" in answer.text
    assert "<code>python run.py</code>" in answer.text
    assert Tags(answer.text).named("script")[0]["src"] == "static/waiting.js"
    assert answer.headers["Cache-Control"] == "no-store"
