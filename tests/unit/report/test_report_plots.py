"""Charts: the same bytes each time, in the page's colours, whatever the numbers."""

import io
import math
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from lightmodel.contract.results import Curves, Evaluation, FoldReport, Importance
from lightmodel.report import plots
from lightmodel.report.plots import answers, canvas, curves, training
from tests.unit.report.report_samples import EMPTY, GAINS, binary, folds, multiclass, regression

HOSTILE = '<script>$x_{1}$</script> & "quoted" #2458c5'


def texts(chart: canvas.Chart | None) -> list[str]:
    assert chart is not None
    root = ElementTree.fromstring(chart.svg)
    return ["".join(each.itertext()) for each in root.iter("text")]


def keys(evaluation: Evaluation) -> list[str]:
    return [chart.key for chart in plots.evaluation_charts(evaluation)]


def test_each_task_has_its_charts() -> None:
    scores = ["roc", "pr", "calibration", "scores", "decision", "confusion"]
    assert keys(binary()) == scores
    assert keys(multiclass()) == ["confusion"]
    assert keys(regression()) == ["actual", "residuals"]
    assert keys(EMPTY) == []


def test_the_same_numbers_give_the_same_svg_whatever_else_was_drawn() -> None:
    first = plots.evaluation_charts(binary())
    plots.evaluation_charts(regression())
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "svg.hashsalt": "other"}):
        assert plots.evaluation_charts(binary()) == first


def test_parallel_threads_draw_the_same_charts() -> None:
    draw = (curves.roc, curves.score_histogram, answers.confusion) * 3
    alone = [each(binary()) for each in draw[:3]] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda each: each(binary()), draw)) == alone


def test_drawing_leaves_the_settings_of_the_process_alone() -> None:
    before = dict(mpl.rcParams)
    plots.evaluation_charts(binary())
    training.importance_png(GAINS)
    assert dict(mpl.rcParams) == before


def test_a_chart_takes_its_colours_from_the_page() -> None:
    charts = plots.evaluation_charts(binary()) + plots.evaluation_charts(regression())
    for chart in charts:
        assert "var(--one)" in chart.svg
        assert re.findall(r"#[0-9a-f]{6}", chart.svg) == []


def test_no_two_elements_of_a_page_share_an_id_and_none_is_missing() -> None:
    charts = [
        *plots.evaluation_charts(binary()),
        training.folds(folds("auc"), "auc", 0.8),
        training.learning(folds("auc")),
    ]
    page = "".join(chart.svg for chart in charts if chart)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', page)) == set(ids)


def test_a_chart_has_a_description_for_screen_readers() -> None:
    for chart in plots.evaluation_charts(binary()):
        root = ElementTree.fromstring(chart.svg)
        assert root.get("role") == "img"
        assert len(root.get("aria-label", "")) > 20
        assert chart.title
        assert chart.note.endswith(".")


def test_names_stay_text_and_are_never_markup_or_mathematics() -> None:
    evaluation = replace(binary(), labels=(HOSTILE[:30], "yes"))
    (label,) = [text for text in texts(curves.score_histogram(evaluation)) if "script" in text]
    assert label.startswith("<script>$x_{1}$</script>")


def test_the_roc_names_its_area_and_the_best_reachable_one() -> None:
    assert "AUC 0.6100" in texts(curves.roc(binary()))
    assert "best reachable 0.9000" in texts(curves.roc(binary()))
    unknown = texts(curves.roc(replace(binary(), best_reachable=None)))
    assert not [text for text in unknown if "best" in text]


def test_precision_and_recall_name_the_share_of_positives() -> None:
    drawn_texts = texts(curves.precision_recall(binary()))
    assert "positives among all rows 50.0\N{NO-BREAK SPACE}%" in drawn_texts


def test_calibration_writes_the_rows_of_each_bin() -> None:
    assert {"200", "150", "50"} <= set(texts(curves.calibration(binary())))


def test_a_small_confusion_matrix_shows_counts_and_shares() -> None:
    drawn_texts = texts(answers.confusion(binary()))
    assert {"150", "50", "40", "160", "75\N{NO-BREAK SPACE}%", "20\N{NO-BREAK SPACE}%"} <= set(
        drawn_texts
    )


def test_a_large_confusion_matrix_shows_shares_only_and_then_none() -> None:
    middling = texts(answers.confusion(multiclass(tuple(f"c{k}" for k in range(15)))))
    assert middling.count("100") == 15
    assert "15" not in middling
    huge = answers.confusion(multiclass(tuple(f"c{k}" for k in range(60))))
    assert huge is not None
    assert "40 largest of 60" in huge.note
    assert "100" not in texts(huge)
    assert "c59" in texts(huge)
    assert "c0" not in texts(huge)


def test_the_threshold_chart_follows_the_histogram() -> None:
    some = Curves(score_edges=(0.0, 0.5, 1.0), score_negative=(6, 2), score_positive=(1, 3))
    assert curves.decision(replace(EMPTY, curves=some)) is not None
    none = replace(some, score_positive=(0, 0))
    assert curves.decision(replace(EMPTY, curves=none)) is None


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12, 0.0])
def test_numbers_of_any_size_are_drawn(scale: float) -> None:
    assert keys(regression(scale)) == ["actual", "residuals"]


def test_points_that_no_axis_can_show_are_left_out() -> None:
    bad = ((math.nan, 1.0), (1.0, math.inf), (1e300, -1e300))
    wild = replace(EMPTY, curves=Curves(roc=bad, precision_recall=bad, calibration=bad[:2],
                                        calibration_rows=(1, 1), predicted_actual=bad))  # fmt: skip
    assert keys(wild) == []
    mended = replace(wild, curves=Curves(predicted_actual=(*bad, (2.0, 3.0))))
    assert keys(mended) == ["actual", "residuals"]


@pytest.mark.parametrize(
    "misfit",
    [
        Curves(score_edges=(0.0, 1.0), score_negative=(1, 2), score_positive=(1,)),
        Curves(score_edges=(1.0, 0.0), score_negative=(1,), score_positive=(1,)),
        Curves(score_edges=(0.0, math.nan), score_negative=(1,), score_positive=(1,)),
        Curves(score_edges=(0.0, 1.0), score_negative=(0,), score_positive=(0,)),
        Curves(confusion=((1, 2, 3), (1, 2, 3))),
        Curves(confusion=((1,), (2, 3))),
        Curves(confusion=((0, 0), (0, 0))),
        Curves(roc=((0.0, 0.0),), precision_recall=((0.0, 1.0),)),
    ],
)
def test_curves_that_do_not_fit_together_are_no_chart(misfit: Curves) -> None:
    assert keys(replace(EMPTY, curves=misfit)) == []


def test_folds_show_their_mean_and_the_test_rows() -> None:
    drawn_texts = texts(training.folds(folds("auc"), "auc", 0.81))
    assert "mean of the folds 0.8030" in drawn_texts
    assert "test rows 0.8100" in drawn_texts
    assert "rounds" in drawn_texts


def test_a_learner_without_rounds_has_no_bars_for_them() -> None:
    assert "rounds" not in texts(training.folds(folds("rmse", rounds=1), "rmse", None))


def test_a_single_fold_is_drawn_and_no_folds_are_not() -> None:
    assert training.folds(folds("auc", 1), "auc", math.nan) is not None
    assert training.folds((), "auc", 0.8) is None
    assert training.folds(folds("auc"), "rmse", 0.8) is None


def test_learning_curves_need_more_than_one_point() -> None:
    assert training.learning(folds("auc")) is not None
    short = FoldReport(1, 10, 1, {}, ((1.0, 0.5),))
    assert training.learning([short]) is None
    assert training.learning([replace(short, curve=((1.0, math.nan), (2.0, 0.4)))]) is None


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_importance_picture_is_the_same_each_time_and_holds_no_date() -> None:
    png = training.importance_png(GAINS)
    assert png == training.importance_png(tuple(reversed(GAINS)))
    assert b"tEXt" not in png


def test_the_importance_picture_shows_the_first_features_only() -> None:
    thirty = training.importance_png(GAINS)
    assert thirty != training.importance_png(GAINS[:30])  # it says that there are more
    assert size_of(thirty) == size_of(training.importance_png(GAINS[:30]))
    assert size_of(training.importance_png(GAINS, top=5))[1] < size_of(thirty)[1]


@pytest.mark.parametrize(
    "features",
    [
        (),
        (Importance("a", math.nan, math.nan),),
        (Importance("a", 0.0, 0.0),),
        (Importance("a", -1.0, 0.0), Importance("b", 2.0, 0.0)),
        tuple(Importance(f"{'long_' * 12}{k}_{'name_' * 12}", 1.0, 0.0) for k in range(3)),
        (Importance(HOSTILE, 1.0, 0.0), Importance("名前\ud800\n\0", 1e-300, 0.0)),
    ],
)
def test_any_features_can_be_drawn(features: tuple[Importance, ...]) -> None:
    assert size_of(training.importance_png(features))[0] >= 1000


def test_the_importance_picture_is_on_white_so_that_it_reads_anywhere() -> None:
    pixels = np.asarray(Image.open(io.BytesIO(training.importance_png(GAINS))).convert("RGBA"))
    assert pixels[0, 0].min() >= 254
