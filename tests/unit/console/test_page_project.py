"""The pages Configure and Train: a setting is changed, a source tried, a run started and stopped."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lightmodel.config import ConsoleSection, load
from lightmodel.store.version_names import new_version_name
from lightmodel.watch.factory import local_jobs
from lightmodel.watch.jobs import Job
from tests.fakes.console_page import opened, pressed, texts, use_token
from tests.fakes.project import ROOT, Project
from tests.fakes.waiting import wait_until

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.console


@pytest.fixture
def settings(service: str) -> ConsoleSection:
    return ConsoleSection(service_url=service, timeout_s=60)


@pytest.fixture
def shop(approved: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a model, in which the console was started."""
    monkeypatch.chdir(approved.folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return approved


def find(page: "AppTest", words: str) -> "AppTest":
    page.text_input(key="find-setting").input(words).run()
    return page


def enter(page: "AppTest", key: str, text: str) -> "AppTest":
    page.text_input(key=key).input(text).run()
    assert not page.exception, page.exception
    return page


def test_a_setting_is_changed_with_its_mistake_its_difference_and_what_follows(
    settings: ConsoleSection, shop: Project
) -> None:
    file = shop.folder / "config.toml"
    before = file.read_text(encoding="utf-8")
    page = find(opened("configure", settings), "seed of the learner")
    enter(page, "set-train.seed-0", "-1")
    said = texts(page)
    assert "input should be greater than or equal to 0" in said
    assert "1 setting to correct: train.seed." in said
    assert not [one for one in page.button if one.label == "Save"]
    enter(page, "set-train.seed-0", "7")
    said = texts(page)
    assert "+seed = 7" in said
    assert "train.seed changes" in said
    assert file.read_text(encoding="utf-8") == before
    pressed(page, "Save")
    assert "Saved." in texts(page)
    assert load(file, environ={}).config.train.seed == 7


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(
    settings: ConsoleSection, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightmodel.config.edit import Edit

    file = shop.folder / "config.toml"
    page = find(opened("configure", settings), "seed of the learner")
    enter(page, "set-train.seed-0", "7")
    save = Edit.save

    def late(edit: Edit) -> None:
        file.write_text(edit.before + "# mine\n", encoding="utf-8")
        save(edit)

    monkeypatch.setattr(Edit, "save", late)
    pressed(page, "Save")
    assert "was changed meanwhile, so nothing was written" in texts(page)
    assert file.read_text(encoding="utf-8").endswith("# mine\n")


def test_a_difference_that_the_user_has_not_seen_is_not_saved(
    settings: ConsoleSection, shop: Project
) -> None:
    file = shop.folder / "config.toml"
    page = find(opened("configure", settings), "seed of the learner")
    enter(page, "set-train.seed-0", "7")
    by_hand = f"{file.read_text(encoding='utf-8')}\n[console]\ntitle = 'mine'\n"
    file.write_text(by_hand, encoding="utf-8")
    said = texts(pressed(page, "Save"))
    assert "config.toml was changed meanwhile, so nothing was written" in said
    assert file.read_text(encoding="utf-8") == by_hand
    pressed(page, "Save")
    saved = load(file, environ={}).config
    assert (saved.train.seed, saved.console.title) == (7, "mine")


def test_no_secret_of_an_address_is_on_the_page(
    settings: ConsoleSection, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shop.folder / "config.toml"
    before = file.read_text(encoding="utf-8")
    more = """
[[notify]]
urls = ["mailtos://me:hush@example.org?to=${TEAM}", "${CHAT}"]
events = ["drift"]
"""
    file.write_text(before + more, encoding="utf-8")
    monkeypatch.setenv("CHAT", "slack://hush/hush")
    monkeypatch.setenv("TEAM", "hush@example.org")
    monkeypatch.setenv("LIGHTMODEL__DATA__SOURCE", "https://me:hush@example.org/a.csv?sig=hush")
    page = opened("configure", settings)
    assert not [one for one in page.text_input if one.label == "source"]
    said = texts(page)
    assert "https://***@example.org/a.csv?sig=***" in said
    assert "its secret is not shown" in said
    assert "hush" not in said
    said = texts(find(page, "notify urls"))
    assert "mailtos://***${TEAM}***, ${CHAT}" in said
    assert ">drift<" in said
    assert "are edited there" in said
    assert "hush" not in said


def test_a_source_is_tried_with_the_edits_that_are_not_saved(
    settings: ConsoleSection, shop: Project
) -> None:
    page = pressed(opened("configure", settings), "Try the source")
    said = texts(page)
    assert "A run would take this table." in said
    assert "no column drifted" in said
    enter(page, "set-data.source-0", "nowhere.csv")
    said = texts(pressed(page, "Try the source"))
    assert "nowhere.csv" in said
    assert "A run would take this table." not in said
    assert shop.splits()


def test_where_there_is_no_project_the_pages_say_what_to_do(settings: ConsoleSection) -> None:
    for name in ("configure", "train"):
        said = texts(opened(name, settings))
        assert "there is no config.toml" in said
        assert "make console" in said


def test_without_the_token_everything_is_read_only(
    settings: ConsoleSection, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.models()
    monkeypatch.setenv("LIGHTMODEL__SERVE__TRAIN_TOKEN", "let-me")
    page = opened("configure", settings)
    assert "target <b>bought</b>" in texts(page)
    assert not [one for one in page.text_input if one.label == "target"]
    assert not [one for one in page.button if one.label in {"Try the source", "Save"}]
    assert "let-me" not in texts(page)
    assert use_token(page, "let-me").text_input(key="set-data.target-0").value == "bought"
    train = opened("train", settings)
    assert not [one for one in train.button if one.label == "Start a run"]
    monkeypatch.delenv("LIGHTMODEL__SERVE__TRAIN_TOKEN")
    monkeypatch.setenv("LIGHTMODEL__CONSOLE__HOST", "0.0.0.0")
    assert "LIGHTMODEL__SERVE__TRAIN_TOKEN" in texts(opened("train", settings))


def test_a_run_is_started_watched_and_found_among_the_others(
    settings: ConsoleSection, shop: Project
) -> None:
    page = opened("train", settings)
    assert "nothing changed" in texts(page)
    page.text_input(key="reason").input("to see it run")
    page.toggle(key="force").set_value(True)
    pressed(page, "Start a run")
    jobs = local_jobs(load(environ={}).config)
    (job,) = jobs.listed()
    assert job.reason == "by the console: to see it run"
    assert "A run is under way" in texts(page)

    def has_ended() -> bool:
        now = jobs.find(job.id)
        return now is not None and not now.is_under_way

    wait_until(has_ended, "the run's end", seconds=300)
    page.run()
    said = texts(page)
    assert "The run has ended" in said
    assert "The newest candidate is approved." in said
    assert "<b>testing</b>" in said
    assert "to see it run" in said
    assert len(shop.models()) == 2
    page.selectbox(key="past-run").select_index(0).run()
    assert not page.exception
    assert '"event"' not in texts(page)
    assert "run started" in (next(Path("logs").glob("*.log"))).read_text(encoding="utf-8")


def test_how_a_run_ended_is_known_without_its_log(settings: ConsoleSection, shop: Project) -> None:
    jobs = local_jobs(load(shop.folder / "config.toml", environ={}).config)
    began = datetime.now(UTC)
    jobs.folder.mkdir(parents=True)
    before = (began - timedelta(minutes=1)).isoformat()
    early = Job("20200101T000000Z-aaaaaa", "stopped", before, before, reason="early")
    killed = Job("20200101T000000Z-bbbbbb", "running", began.isoformat(), reason="killed")
    for job in (early, killed):
        (jobs.folder / f"{job.id}.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
        (jobs.folder / f"{job.id}.log").write_text("its last words\n", encoding="utf-8")
    name = new_version_name(began + timedelta(microseconds=1))
    common = {"time": began.isoformat(), "level": "info", "run": name, "stage": ""}
    events = [
        {**common, "event": "run started", "message": "run started", "command": "run"},
        {**common, "event": "reason", "message": "reason: killed"},
        {**common, "event": "stage started", "message": "started", "stage": "preprocess"},
    ]
    lines = "".join(f"{json.dumps(event)}\n" for event in events)
    (Path("logs") / f"{name}.log").write_text(lines, encoding="utf-8")
    page = opened("train", settings)
    said = texts(page)
    assert "stopped before its log began" in said
    assert "failed: it was stopped, perhaps with its machine or container" in said
    assert "still runs" not in said
    labels = page.selectbox(key="past-run").options
    assert len(set(labels)) == 3
    said = texts(page.selectbox(key="past-run").set_value(early.id).run())
    assert "its last words" in said
    said = texts(page.selectbox(key="past-run").set_value(name).run())
    assert "did not end" in said


def test_a_run_is_stopped(settings: ConsoleSection, shop: Project) -> None:
    text = (shop.folder / "config.toml").read_text(encoding="utf-8")
    slow = "max_rounds = 1_000_000, patience = 1_000_000, learning_rate = 1e-5"  # for minutes
    shop.settings(text.replace("max_rounds = 60, learning_rate = 0.25", slow))
    page = opened("train", settings)
    page.toggle(key="force").set_value(True)
    pressed(page, "Start a run")
    pressed(page, "Stop the run")
    jobs = local_jobs(load(environ={}).config)
    (job,) = jobs.listed()
    wait_until(lambda: not jobs.listed()[0].is_under_way, "the run's end", seconds=300)
    assert jobs.find(job.id)
    assert jobs.listed()[0].state == "stopped"
    page.run()
    assert "The run was stopped" in texts(page)
    assert len(shop.models()) == 1
