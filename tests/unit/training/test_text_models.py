"""Scores of texts: the same for a text whatever stands beside it, and never from a row's own target."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.cells import Vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import Folds, TrainingData
from lightmodel.tables.encode import feature_matrix
from lightmodel.training.fit_texts import MAX_SCORES, FittedTexts, count_matrix, fit_texts
from lightmodel.training.ngrams import CHUNK_CHARACTERS, MAX_CHARACTERS, SIZES, WORDS, HashedTexts
from lightmodel.training.texts import TextModel

BITS = 12
WEIGHTS = np.random.default_rng(0).normal(size=(2, 1 << BITS))
MODEL = TextModel.of(("u", "v"), WEIGHTS, np.array([0.5, -1.0]))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


def spans_of(text: str) -> Counter[tuple[str, int]]:
    """Return the n-grams and the sequences of words of a text, as they are defined."""
    plain = f" {' '.join(text.lower().split())} "
    words = [f" {word}" for word in plain.split(" ")[1:-1]]
    grams = [(plain[at : at + size], 0) for size in SIZES for at in range(len(plain) - size + 1)]
    runs = [
        ("".join(words[at : at + run]), run) for run in WORDS for at in range(len(words) - run + 1)
    ]
    return Counter([*grams, *runs])


def bucket_counts(texts: list[str]) -> list[Counter[int]]:
    found: list[Counter[int]] = [Counter() for _ in texts]
    spans = HashedTexts(texts).spans(30)
    for first, end in zip(spans.first, spans.end, strict=True):
        for counts, start, stop in zip(found, first, end, strict=True):
            counts.update(spans.buckets[start:stop].tolist())
    return found


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_each_span_is_counted_and_has_one_bucket(texts: list[str]) -> None:
    expected = [spans_of(text) for text in texts]
    for spans, buckets in zip(expected, bucket_counts(texts), strict=True):
        assert sorted(spans.values()) == sorted(buckets.values())
    shared = bucket_counts([*texts, *reversed(texts)])
    assert shared[: len(texts)] == shared[: len(texts) - 1 : -1]


def test_equal_spans_of_different_texts_share_a_bucket() -> None:
    first, second = bucket_counts(["the cat sat", "a cat"])
    words = {" ca", "cat", "at ", " cat", "cat ", " cat "}
    assert len(first.keys() & second.keys()) == len(words) + 1  # and the word itself


@given(st.lists(TEXTS, min_size=1, max_size=12), st.data())
def test_a_text_has_the_same_score_whatever_is_scored_with_it(
    texts: list[str], data: st.DataObject
) -> None:
    together = MODEL.encode(texts)
    at = data.draw(st.integers(0, len(texts) - 1))
    assert MODEL.encode([texts[at]])[0].tolist() == together[at].tolist()
    restored = TextModel.from_payload(MODEL.payload())
    assert restored.encode(texts).tolist() == together.tolist()


@given(st.lists(TEXTS, max_size=12))
def test_training_counts_what_serving_sums(texts: list[str]) -> None:
    expected = count_matrix(texts, BITS) @ WEIGHTS.T + MODEL.intercepts
    np.testing.assert_allclose(MODEL.encode(texts), expected, atol=0.01)


def test_long_texts_are_read_to_a_limit_and_in_parts() -> None:
    long = "ab cd " * (MAX_CHARACTERS // 6 + 1)
    cut, behind = long[:MAX_CHARACTERS], f"{long[:MAX_CHARACTERS]} more"
    many = [cut, behind, "short"] * (3 * CHUNK_CHARACTERS // MAX_CHARACTERS)
    scores = MODEL.encode(many)
    assert (scores[0::3] == scores[1::3]).all()
    assert scores[2::3].tolist() == MODEL.encode(["short"]).tolist() * (len(many) // 3)


# ---- fitting ----------------------------------------------------------------------------------------

ROWS = 600
RANDOM = np.random.default_rng(1)
NUMBERS = np.arange(ROWS) % 6


def contract(task: Task) -> Contract:
    text = Column("c", Role.FEATURE, ColumnType.TEXT, missing=True)
    number = Column("a", Role.FEATURE, ColumnType.NUMBER, missing=False)
    return Contract((text, number, Column("y", Role.TARGET, ColumnType.CATEGORY, False)), task)


BINARY = contract(Task(TaskKind.BINARY, ("no", "yes")))
UNIQUE = pa.table(
    {"c": ["".join(RANDOM.choice(list("abcdefgh"), 12)) for _ in range(ROWS)], "a": np.zeros(ROWS)}
)
SPOKEN = pa.table(
    {"c": [["buy a prize", "see you soon"][at % 2] + f" {at}" for at in range(ROWS)],
     "a": np.zeros(ROWS)}
)  # fmt: skip


def fitted_texts(
    table: pa.Table, contract: Contract, target: Vector, folds: Folds | None = None
) -> FittedTexts:
    data = TrainingData(np.empty((len(target), 0)), target, (), (), contract.task)
    return fit_texts(table, contract, data, folds or Folds(NUMBERS), seed=0)


def correlation(scores: object, target: object) -> float:
    return float(np.corrcoef(np.asarray(scores), np.asarray(target))[0, 1])


def test_texts_without_a_signal_do_not_betray_their_own_target() -> None:
    target = RANDOM.integers(0, 2, ROWS).astype(float)
    fitted = fitted_texts(UNIQUE, BINARY, target)
    of_itself = feature_matrix(UNIQUE, BINARY, fitted.models)
    assert correlation(of_itself[:, 2], target) > 0.9
    assert abs(correlation(fitted.features[:, 2], target)) < 0.15
    assert (of_itself[:, :2] == fitted.features[:, :2]).all()


def test_words_predict_classes_and_numbers() -> None:
    target = (np.arange(ROWS) % 2).astype(float)
    fitted = fitted_texts(SPOKEN, BINARY, target)
    assert correlation(fitted.features[:, 2], target) > 0.9
    numbers = contract(Task(TaskKind.REGRESSION))
    fitted = fitted_texts(SPOKEN, numbers, 1e6 + 40 * target)
    assert correlation(fitted.features[:, 2], target) > 0.9
    assert abs(fitted.features[:, 2].mean() - 1e6) < 100


def test_of_many_classes_the_frequent_ones_get_scores_in_fewer_buckets() -> None:
    labels = tuple(f"k{at:02}" for at in range(MAX_SCORES + 4))
    target = np.minimum(np.arange(ROWS) % 40, len(labels) - 1).astype(float)
    task = contract(Task(TaskKind.MULTICLASS, labels))
    model = fitted_texts(SPOKEN, task, target).models["c"]
    assert model.width == MAX_SCORES
    assert labels[-1] in model.labels
    assert model.weights.size <= 1 << 18
    assert model.names("c")[0] == f"c (text: {model.labels[0]})"


def test_equal_data_gives_equal_bytes() -> None:
    target = (np.arange(ROWS) % 2).astype(float)
    both = [fitted_texts(SPOKEN, BINARY, target) for _ in range(2)]
    weights = [one.models["c"].weights.tobytes() for one in both]
    assert weights[0] == weights[1]
    assert (both[0].features == both[1].features).all()


def test_by_time_no_row_is_scored_by_later_ones() -> None:
    blocks = np.arange(ROWS) * 7 // ROWS - 1
    target = (np.arange(ROWS) % 2).astype(float)
    changed = np.where(blocks >= 3, 1 - target, target)
    before, after = (
        fitted_texts(SPOKEN, BINARY, one, Folds(blocks, by_time=True)).features[:, 2]
        for one in (target, changed)
    )
    assert (before[blocks < 3] == after[blocks < 3]).all()
    assert (before[blocks == 5] != after[blocks == 5]).any()


@pytest.mark.parametrize("cells", [[None] * ROWS, ["one text"] * ROWS])
def test_columns_that_say_nothing_are_harmless(cells: list[str | None]) -> None:
    table = pa.table({"c": pa.array(cells, pa.string()), "a": np.zeros(ROWS)})
    target = (np.arange(ROWS) % 2).astype(float)
    fitted = fitted_texts(table, BINARY, target)
    assert len(np.unique(fitted.features[:, 2], equal_nan=True)) <= 5
    assert np.isnan(fitted.features[:, [0, 2]]).all() == (cells[0] is None)
