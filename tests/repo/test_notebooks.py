"""The notebooks run from top to bottom, are stored without outputs, and are what docs/notebooks shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "model-development"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
SMALL = {
    "04-frequency": {"rows": 2_000, "settings": ["train.folds=2"]},
}


def notebook(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return content


def code_of(name: str) -> list[str]:
    cells = notebook(name)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert {"01-explore", "02-model", "03-errors"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_without_outputs(name: str) -> None:
    for cell in notebook(name)["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", NAMES)
def test_what_the_docs_show_is_this_notebook(name: str) -> None:
    page = (ROOT / "docs" / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    assert [code.strip() for code in shown] == [code.strip() for code in code_of(name)]
    pictures = re.findall(r"!\[png\]\((.+?)\)", page)
    assert pictures
    for picture in pictures:
        assert (ROOT / "docs" / "notebooks" / picture).stat().st_size > 1_000


@pytest.mark.notebooks
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    # Streamlit sets it when it is imported, and a notebook would draw nothing.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    small = {
        "settings": [
            *("data.source=sample://santander?rows=2000", "train.folds=2"),
            *(f"store.root={tmp_path}", f"store.work={tmp_path / 'work'}"),
        ]
    }
    done = papermill.execute_notebook(
        FOLDER / f"{name}.ipynb",
        tmp_path / "done.ipynb",
        SMALL.get(name, small),
        kernel_name="python3",
        progress_bar=False,
        cwd=FOLDER,
    )
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 1
    errors = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not errors
