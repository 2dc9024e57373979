"""The field's words: what docs/glossary.md settles holds in names, docstrings, settings and pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightmodel.config.load import SECTIONS, is_secret

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "lightmodel").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    # Notebooks are generated, and an old decision may use older terms.
    *(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not {"notebooks", "decisions"} & {*page.parts}
    ),
]
# A private word, and the field's term for the same idea.
NAMES = {
    "Workshop": "RunContext",
    "Contest": "comparison",
    "Contender": "entry",
    "Standing": "ranking",
    "Shelf": "ModelStoreView",
    "Holder": "ModelManager",
    "Courier": "uploader",
    "Letter": "PendingRun",
    "Lanes": "parallel",
    "Conformed": "ValidatedTable",
    "Truths": "labels",
}
PHRASES = {
    "prove itself": "pass its smoke test",
    "proved itself": "passed its smoke test",
    "gate said no": "the quality gate failed",
    "gate says no": "the quality gate rejects",
    "held against": "validated against",
    "beyond chance": "by a significant margin",
    "what is served stays": "the served model is unchanged",
    "data base": "database",
    "contender": "entry",
}
OPENINGS = ("Give ", "Gives ", "Say ", "Says ", "Tell ", "Tells ")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def flowing(text: str) -> str:
    """Return a text as one line, so that a phrase is found across line breaks."""
    return " ".join(text.split())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_uses_the_words_of_the_glossary(path: Path) -> None:
    text = flowing(path.read_text(encoding="utf-8"))
    assert {phrase: better for phrase, better in PHRASES.items() if phrase in text} == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_docstring_uses_the_words_of_the_glossary(path: Path) -> None:
    for text in map(flowing, docstrings(path)):
        assert {phrase: better for phrase, better in PHRASES.items() if phrase in text} == {}
        assert not text.startswith(OPENINGS), text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_class_has_a_private_name(path: Path) -> None:
    tree = ast.parse(path.read_bytes())
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert {name: better for name, better in NAMES.items() if name in classes} == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_setting_is_described_in_sentences_and_names_its_unit(section: str) -> None:
    for key, field in SECTIONS[section].model_fields.items():
        text = field.description or ""
        assert re.match(r"[A-Z]|auto: |keep: ", text), f"{key}: {text}"
        assert text.endswith("."), f"{key}: {text}"
        assert not re.search(r"_(seconds|megabytes|mb_s|ms)$", key)
        if key.endswith("_s") and not is_secret(field):
            assert "econds" in text, f"{key}: {text}"
        if key.endswith("_mb"):
            assert "megabytes" in text, f"{key}: {text}"
