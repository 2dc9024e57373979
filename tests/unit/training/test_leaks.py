"""A feature that alone decides the target is named; one that is merely strong is not."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess

ROWS = 400
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=ROWS).round(3)
LABEL = (WEIGHT + RANDOM.normal(size=ROWS) > 0).astype(int)
CLASSES = RANDOM.integers(0, 4, ROWS)
PRICE = (100 * RANDOM.lognormal(size=ROWS)).round(2)
NOISE = RANDOM.normal(size=ROWS)


def preprocessed(target: Sequence[object], **columns: Sequence[object]) -> PreprocessingResult:
    table = pa.table({"weight": WEIGHT, **columns, "target": target})
    options = PreprocessOptions(
        DataSection(rare_classes="drop"), SplitSection(), TrainSection(task="auto")
    )
    return preprocess(table, options, None)


def texts(codes: Iterable[int], words: str) -> list[str]:
    return [words[code] for code in codes]


@pytest.mark.parametrize(
    ("target", "feature"),
    [
        (LABEL, LABEL),
        (LABEL, texts(LABEL, "NY")),
        (LABEL, LABEL == 0),
        (LABEL, [None if one else "2024" for one in LABEL]),
        (LABEL, np.where(LABEL == 1, 5.0, -5.0) + np.clip(NOISE, -4, 4)),
        (LABEL, 10 * RANDOM.integers(0, 5, ROWS) + 2 * LABEL),
        (texts(LABEL, "ab"), LABEL),
        (CLASSES, texts(CLASSES, "wxyz")),
        (texts(CLASSES, "wxyz"), (CLASSES + 2) % 4),
        (CLASSES, CLASSES + RANDOM.uniform(0, 0.9, ROWS)),
        (PRICE, PRICE),
        (PRICE, -(PRICE * 1.19).round(1)),
        (PRICE, np.log(PRICE)),
        (10.5 * CLASSES, texts(CLASSES, "wxyz")),
    ],
)
def test_a_copy_or_code_of_the_target_is_named(
    target: Sequence[object], feature: Sequence[object]
) -> None:
    found = preprocessed(target, outcome=feature)
    assert found.leaks == ("outcome",)
    (warning,) = (text for text in found.warnings if "alone decides" in text)
    assert "column 'outcome' alone decides the target" in warning
    assert 'set data.ignore = ["outcome"]' in warning


@pytest.mark.parametrize(
    ("target", "feature"),
    [
        (LABEL, [1 - LABEL[0], *LABEL[1:]]),
        (LABEL, RANDOM.permutation(ROWS) * 1.5),
        (LABEL, texts(LABEL[::-1], "NY")),
        (LABEL, np.where(LABEL == 1, 2.0, -2.0) + NOISE),
        (LABEL, [None if one and row > 9 else "2024" for row, one in enumerate(LABEL)]),
        (LABEL, [f"{row // 3}-{LABEL[row - row % 3]}" for row in range(ROWS)]),
        ([*[1] * 3, *[0] * (ROWS - 3)], [*[1] * 3, *[0] * (ROWS - 3)]),
        (CLASSES, np.minimum(CLASSES, 2)),
        (PRICE, PRICE + NOISE),
        (PRICE, PRICE.round(-2)),
        (PRICE, np.arange(ROWS) * 0.5),
    ],
)
def test_a_strong_feature_or_a_chance_is_no_leak(
    target: Sequence[object], feature: Sequence[object]
) -> None:
    assert preprocessed(target, outcome=feature).leaks == ()


def test_rows_beyond_the_first_few_disprove_a_leak() -> None:
    many = 4_001
    labels = np.arange(many) % 2
    wrong = labels.copy()
    wrong[many // 2 + 1] ^= 1
    table = pa.table({"outcome": wrong, "copy": labels, "target": labels})
    options = PreprocessOptions(DataSection(), SplitSection(), TrainSection())
    assert preprocess(table, options, None).leaks == ("copy",)
