"""The pages that are generated from the settings."""

from pathlib import Path

import pytest

from lightmodel.cli.docs import example_file, pages
from lightmodel.config import Config, load
from lightmodel.config.load import TABLES

ROOT = Path(__file__).parents[3]
SECRETS = {
    "signing_key",
    "signing_password",
    "url",
    "api_keys",
    "key",
    "train_token",
    "jenkins_token",
    "alert_token",
    "api_key",
    "github_token",
    "secret",
    "ngrok_token",
    "username",
    "password",
    "token",
    "storage",
    "kafka_password",
}


def test_the_example_file_sets_only_defaults() -> None:
    Path("every.toml").write_text(example_file(), encoding="utf-8")
    assert load(Path("every.toml"), environ={}).config == Config()


def test_the_example_file_has_every_key_except_secrets() -> None:
    text = example_file()
    for name, table in TABLES.items():
        assert f"\n# [[{name}]]\n" in text
        assert all(f"\n# {key} =" in text for key in table.model_fields)
    for name, section in Config():
        if name in TABLES:
            continue
        assert f"[{name}]" in text
        for key in type(section).model_fields:
            assert (f"\n{key} = " in text or f"\n# {key} =" in text) == (key not in SECRETS)


@pytest.mark.parametrize("path", pages(), ids=str)
def test_a_generated_page_is_current(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # dvc.yaml depends on the table that config.toml names
    written = (ROOT / path).read_text(encoding="utf-8")
    assert written == pages()[path], "run `make docs`"
