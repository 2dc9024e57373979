"""The page: whole, harmless, and with every number in its place."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lightmodel
from lightmodel.contract.results import (
    ClassScore,
    Comparison,
    Curves,
    Drift,
    Evaluation,
    Importance,
    Interval,
    Verdict,
)
from lightmodel.report import formatting as words
from lightmodel.report.page import Report, render
from tests.unit.report.report_samples import (
    EMPTY,
    binary,
    folds,
    least,
    multiclass,
    regression,
    report_of,
)

SCRIPT = "<script>alert('x')</script>"
VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}


class Page(HTMLParser):
    """What a browser would see: balanced tags, attributes, text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    def row(self, heading: str) -> str:
        """Return the text of the table row that starts with `heading`."""
        found = re.search(rf"(?<!\S){re.escape(heading)} .*?(?= (?:{'|'.join(METRIC_TITLES)}) |$)",
                          self.text[self.text.index("best constant prediction"):])  # fmt: skip
        assert found is not None
        return found[0]


METRIC_TITLES = [
    "AUC", "Log loss", "Accuracy", "Precision", "Recall", "F1", "Brier score", "RMSE", "MAE", "R²",
]  # fmt: skip
EVALUATIONS = {
    "binary": binary(),
    "multiclass": multiclass(),
    "regression": regression(),
    "empty": EMPTY,
}


@cache
def page_of(task: str) -> bytes:
    return render(report_of(EVALUATIONS[task]))


def bare(evaluation: Evaluation) -> Report:
    """A report without the slow drawings of folds."""
    return replace(report_of(evaluation), folds=())


@pytest.mark.parametrize("task", list(EVALUATIONS))
def test_the_page_is_well_formed_and_loads_nothing(task: str) -> None:
    page = page_of(task)
    seen = Page(page)
    names = [name for name, _ in seen.tags]
    assert "script" not in names
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    addresses = [
        (name, value)
        for _, attributes in seen.tags
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "action", "data", "poster"} and value is not None
    ]
    assert [value for _, value in addresses if not value.startswith(("#", "data:,"))] == []
    style = page.decode().partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    assert b"http://" not in page
    assert b"https://" not in page


def test_the_page_forbids_itself_to_load_or_run_anything() -> None:
    policies = [
        attributes.get("content") or ""
        for name, attributes in Page(page_of("binary")).tags
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [policy for policy in policies if "default-src 'none'" in policy] == policies != []


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(report_of(binary())) == page_of("binary")


@pytest.mark.parametrize("task", list(EVALUATIONS))
def test_every_metric_appears_with_its_interval(task: str) -> None:
    text = Page(page_of(task)).text
    for name, interval in EVALUATIONS[task].metrics.items():
        assert words.metric_title(name) in text
        assert words.number(interval.value) in text
        low, high = words.number(interval.low), words.number(interval.high)
        assert f"{low} \N{EN DASH} {high}" in text


def test_a_page_stays_small() -> None:
    assert len(page_of("binary")) < 400_000


def test_headings_of_tables_have_a_scope() -> None:
    tags = Page(page_of("binary")).tags
    assert {attributes.get("scope") for name, attributes in tags if name == "th"} == {"col", "row"}
    drawings = [
        attributes
        for name, attributes in tags
        if name == "svg" and not attributes.get("aria-hidden")
    ]
    assert len(drawings) == 8
    assert all(picture.get("aria-label") for picture in drawings)


def test_no_two_elements_have_the_same_id() -> None:
    tags = Page(page_of("binary")).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first_with_its_reasons() -> None:
    passed = Page(page_of("binary")).text
    assert passed.index("Approved AUC 0.6100 , 95") < passed.index("It is good enough.")
    assert "interval 0.5900 to 0.6300" in passed
    verdict = Verdict(False, "auc", 0.61, ("It is too weak.", "It beats the dummy."))
    failed = Page(render(replace(bare(EMPTY), verdict=verdict))).text
    assert "Not approved AUC 0.6100" in failed
    assert failed.index("It is too weak.") < failed.index("It beats the dummy.")


def test_a_lower_loss_is_marked_as_better_and_a_lower_auc_as_worse() -> None:
    mine = {"auc": 0.8, "log_loss": 0.3, "brier": 0.2}
    served = {"auc": 0.9, "log_loss": 0.4, "brier": 0.1}
    evaluation = replace(
        EMPTY,
        metrics={name: Interval(value, value, value) for name, value in mine.items()},
        dummy={"auc": 0.5, "log_loss": 0.2, "brier": 0.25},
        comparison=Comparison("v1", 50, 50, mine, served),
    )
    page = Page(render(bare(evaluation)))
    assert re.search(r"0\.5000 beaten .* worse$", page.row("AUC"))
    assert re.search(r"0\.2000 not beaten .* better$", page.row("Log loss"))
    assert re.search(r"0\.2500 beaten .* worse", page.row("Brier score"))


def test_a_comparison_on_fewer_rows_shows_the_candidate_on_those_rows() -> None:
    evaluation = binary()
    assert evaluation.comparison is not None
    text = Page(page_of("binary")).text
    assert "the 320 test rows that neither was trained on" in text
    assert text.count("Candidate") == 2
    for value in evaluation.comparison.served.values():
        assert words.number(value) in text
    same = replace(evaluation, comparison=replace(evaluation.comparison, rows=400))
    assert Page(render(bare(same))).text.count("Candidate") == 1


def test_the_best_reachable_auc_is_compared_with_the_candidate() -> None:
    text = Page(page_of("binary")).text
    assert "can reach on these rows is known: 0.9000." in text
    assert "27.5\N{NO-BREAK SPACE}%" in page_of("binary").decode()
    assert "can reach on these rows" not in Page(page_of("multiclass")).text


def test_every_name_is_escaped() -> None:
    evaluation = replace(
        binary(),
        labels=(SCRIPT, f"</svg>{SCRIPT}"),
        metrics={SCRIPT: Interval(0.5, 0.4, 0.6)},
        classes=(ClassScore(SCRIPT, 3, 0.5, 0.5, 0.5),),
    )
    report = replace(
        report_of(evaluation),
        version=SCRIPT,
        created=SCRIPT,
        source=f'"><{SCRIPT}',
        split=SCRIPT,
        commit=SCRIPT,
        target=SCRIPT,
        verdict=Verdict(True, SCRIPT, 0.5, (SCRIPT,)),
        folds=folds(SCRIPT),
        importance=(Importance(SCRIPT, 1.0, 1.0),),
        drift=(Drift(SCRIPT, 0.3, SCRIPT, 0.0, drifted=True),),
        warnings=(SCRIPT,),
        parameters={SCRIPT: SCRIPT, "nested": {SCRIPT: [SCRIPT]}},
        libraries={SCRIPT: SCRIPT},
    )
    page = render(report)
    assert b"<script" not in page.lower()
    assert Page(page).text.count(SCRIPT) > 12


def test_secrets_in_the_address_of_the_data_are_masked() -> None:
    source = "https://me:s3cr3t@example.org/a.csv?sig=s1gned"
    page = render(replace(bare(EMPTY), source=source)).decode()
    assert "example.org/a.csv" in page
    assert "s3cr3t" not in page
    assert "s1gned" not in page


def test_classes_with_few_rows_are_marked() -> None:
    text = Page(render(bare(multiclass(tuple("abcdefghijkl"))))).text
    assert "9 of 12 classes have fewer than 10 test rows" in text
    assert len(re.findall(r" [a-i] rough [1-9] ", text)) == 9
    assert text.index(" l 12 ") < text.index(" a rough 1 ")


def test_drifted_columns_come_first_and_are_marked() -> None:
    text = Page(page_of("binary")).text
    assert "1 of 2 columns has drifted" in text
    assert text.index("moved_one drifted") < text.index("steady_one")
    assert "no earlier accepted table" in Page(render(least())).text


def test_a_long_table_folds_its_tail_away() -> None:
    page = page_of("binary").decode()
    head, _, tail = page.partition("<summary>20 more</summary>")
    assert "feature_19<" in head
    assert "feature_20<" in tail


def test_a_report_without_optional_parts_is_a_page() -> None:
    seen = Page(render(least()))
    assert "Not approved" in seen.text
    assert "warnings" not in {attributes.get("id") for _, attributes in seen.tags}


def test_two_hundred_features_and_a_hundred_folds_are_a_page() -> None:
    report = replace(
        report_of(EMPTY),
        importance=tuple(Importance(f"f{k}", float(k), float(k)) for k in range(200)),
        folds=folds("auc", 100),
    )
    text = Page(render(report)).text
    assert "199 f199" not in text
    assert "The other 100 are in feature_importance_gain.json" in text
    assert "1 of which is used by no split" in text


def test_importing_the_page_does_not_import_matplotlib() -> None:
    code = "import sys, lightmodel.report.page; sys.exit('matplotlib' in sys.modules)"
    home = Path(lightmodel.__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=home, check=False).returncode == 0


numbers = st.floats() | st.sampled_from([0.0, 0.5, 1.0, math.nan, math.inf, -math.inf])
names = st.text(st.characters(), max_size=30)
points = st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple)
counts = st.lists(st.integers(0, 10**9), max_size=3).map(tuple)
intervals = st.builds(Interval, numbers, numbers, numbers)
known = st.sampled_from(["auc", "log_loss", "rmse", "r2", "my_own"])
values = st.dictionaries(known, numbers, max_size=5)
evaluations = st.builds(
    Evaluation,
    task=st.sampled_from(["binary", "multiclass", "regression"]),
    labels=st.lists(names, max_size=3).map(tuple),
    threshold=st.none() | numbers,
    rows=st.integers(0, 10**12),
    metrics=st.dictionaries(known | names, intervals, max_size=5),
    dummy=values,
    classes=st.lists(
        st.builds(ClassScore, names, st.integers(0, 10**6), numbers, numbers, numbers), max_size=3
    ).map(tuple),
    curves=st.builds(
        Curves,
        roc=points,
        precision_recall=points,
        calibration=points,
        calibration_rows=counts,
        confusion=st.lists(counts, max_size=3).map(tuple),
        predicted_actual=points,
        score_edges=st.lists(numbers, max_size=4).map(tuple),
        score_negative=counts,
        score_positive=counts,
    ),
    comparison=st.none()
    | st.builds(Comparison, names, st.integers(0, 99), st.integers(0, 99), values, values),
    best_reachable=st.none() | numbers,
)
reports = st.builds(
    replace,
    evaluations.map(bare),
    importance=st.lists(st.builds(Importance, names, numbers, numbers), max_size=4).map(tuple),
    drift=st.lists(
        st.builds(Drift, names, numbers, st.sampled_from(["ks", "psi"]), numbers, st.booleans()),
        max_size=3,
    ).map(tuple),
)


def test_a_model_without_splits_is_not_taken_for_a_learner_without_importance() -> None:
    counted = render(replace(report_of(binary()), importance=(Importance("x", 0.0, 0.0),)))
    unknown = render(
        replace(report_of(binary()), importance=(Importance("x", math.nan, math.nan),))
    )
    assert b"makes no split" in counted
    assert b"does not report feature importance" not in counted
    assert b"does not report feature importance" in unknown


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(reports)
def test_any_measured_values_can_be_rendered(report: Report) -> None:
    assert Page(render(report)).text
