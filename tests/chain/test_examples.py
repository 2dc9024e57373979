"""The unchanged examples, on tables like those that they name."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.project import ROOT, Project

QUICK = "train.parameters={num_leaves = 4, max_rounds = 40}"


def wine(folder: Path) -> Path:
    """Write a table with semicolons, quoted headers with spaces, and grades 3 to 9, of which 9 is rare."""
    random = np.random.default_rng(0)
    grades = np.repeat(np.arange(3, 10), [12, 60, 200, 260, 90, 30, 5])
    names = ["fixed acidity", "volatile acidity", "alcohol", "quality"]
    lines = [";".join(f'"{name}"' for name in names)]
    for grade in random.permutation(grades):
        numbers = random.normal([7, 0.3, 8 + grade / 3], [0.8, 0.1, 0.7]).round(2)
        lines.append(";".join([*(f"{number:g}" for number in numbers), str(grade)]))
    path = folder / "winequality-white.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def students(folder: Path) -> Path:
    """Write a table of strings with quotes and spaces, and a score to predict."""
    random = np.random.default_rng(0)
    lines = ["gender,parental_level_of_education,lunch,math_score,reading_score"]
    for _ in range(400):
        lunch = random.choice(["standard", "free/reduced"])
        reading = int(np.clip(random.normal(68, 14), 0, 100))
        score = int(np.clip(reading - 2 + 6 * (lunch == "standard") + random.normal(0, 5), 0, 100))
        parents = random.choice(["bachelor's degree", "some college", "high school"])
        gender = random.choice(["female", "male"])
        lines.append(f"{gender},{parents},{lunch},{score},{reading}")
    path = folder / "students.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run_example(project: Project, name: str, *sets: str) -> dict[str, object]:
    """Run an example, and return the manifest of the approved model."""
    words = [word for item in (*sets, QUICK) for word in ("--set", item)]
    ran = project.run("--config", str(ROOT / "examples" / f"{name}.toml"), *words)
    assert ran.code == 0, ran.err
    (manifest,) = (project.folder / "var" / name / "model").glob("*/manifest.json")
    content: dict[str, object] = json.loads(manifest.read_bytes())
    if name == "wine":
        assert "class 9 has" in ran.err
    return content


def test_wine(project: Project) -> None:
    manifest = run_example(project, "wine", f"data.source={wine(project.folder)}")
    assert manifest["task"] == {"kind": "multiclass", "labels": [3, 4, 5, 6, 7, 8, 9]}


def test_students(project: Project) -> None:
    manifest = run_example(project, "students", f"data.source={students(project.folder)}")
    assert manifest["task"] == {"kind": "regression", "labels": []}


@pytest.mark.parametrize(("name", "kind"), [("breast-cancer", "binary"), ("digits", "multiclass")])
def test_the_tables_that_come_with_scikit_learn(project: Project, name: str, kind: str) -> None:
    task = run_example(project, name)["task"]
    assert isinstance(task, dict)
    assert task["kind"] == kind


def test_santander(project: Project) -> None:
    manifest = run_example(project, "santander", "data.source=sample://santander?rows=3000")
    assert manifest["runtime"] == "lightgbm"
    (report,) = (project.folder / "var/santander/model").glob("*/report.html")
    text = report.read_text(encoding="utf-8")
    assert re.search(r"best reachable AUC|nobody could rank", text)


@pytest.mark.parametrize(
    ("header", "rows", "sets"),
    [
        ("", ["{0}, State-gov, <=50K", "{0}, ?, >50K"], ["data.columns=['age','work','target']"]),
        ("\ufeffa,b,target\n", ["{0}.5,x,Yes", "{0},,No"], []),
        ("a;b;target\n", ["{0},5;x;1", "{0},25;;0"], []),
    ],
    ids=["no header, leading spaces, question marks", "byte-order mark, blanks", "decimal comma"],
)
def test_tables_as_people_have_them(
    project: Project, header: str, rows: list[str], sets: list[str]
) -> None:
    lines = [row.format(number) for number in range(60) for row in rows]
    (project.folder / "odd.csv").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    words = ["data.source=odd.csv", "data.target=target", *sets]
    ran = project.run("preprocess", *(word for item in words for word in ("--set", item)))
    assert ran.code == 0, ran.err
    manifest = json.loads((project.splits()[0] / "manifest.json").read_bytes())
    assert sum(manifest["rows"].values()) == 120
    assert manifest["task"]["kind"] == "binary"
    columns = {column["name"]: column for column in manifest["contract"]["columns"]}
    text = next(column for name, column in columns.items() if name in {"work", "b"})
    assert (text["type"], text["missing"], len(text["categories"])) == ("category", True, 1)
