"""The training reference of a model: what it keeps, and how it is stored."""

import numpy as np
import pytest

from lightmodel.contract.columns import ColumnType
from lightmodel.errors import ArtefactCorrupt
from lightmodel.training.reference import (
    MAX_CATEGORIES,
    MAX_ROWS,
    STRATA,
    Reference,
    make_reference,
)
from tests.unit.watch.watch_samples import (
    COLOURS,
    contract_of,
    feature,
    mixed_rows,
    reference_of,
    scores_of,
)


def test_it_keeps_features_without_dates_and_the_scores() -> None:
    reference = reference_of(3_000)
    rows = mixed_rows(3_000)
    assert list(reference.features) == ["x", "count", "colour", "member", "open", "said"]
    x = reference.features["x"]
    assert (x.rows, x.missing) == (3_000, int(np.isnan(rows[:, 0]).sum()))
    assert x.numbers is not None
    assert x.numbers.count == x.rows - x.missing
    assert (x.numbers.values[0], x.numbers.values[-1]) == (
        np.nanmin(rows[:, 0]),
        np.nanmax(rows[:, 0]),
    )
    colour = reference.features["colour"]
    assert colour.counts == dict(
        zip(COLOURS, np.bincount(rows[:, 2].astype(int)).tolist(), strict=True)
    )
    assert reference.features["member"].counts is not None
    assert list(reference.scores) == ["probability"]


def test_rows_that_no_fold_holds_out_have_no_score() -> None:
    scores = scores_of(100)
    scores[:40] = np.nan
    probability = make_reference(mixed_rows(100), contract_of(), scores).scores["probability"]
    assert (probability.rows, probability.missing) == (60, 0)


def test_it_survives_its_file() -> None:
    reference = reference_of(900)
    restored = Reference.from_bytes(reference.to_bytes())
    for part in ("features", "scores"):
        before, after = getattr(reference, part), getattr(restored, part)
        assert list(before) == list(after)
        for name, column in before.items():
            assert repr(after[name]) == repr(column)
    assert reference.to_bytes() == restored.to_bytes()


def test_an_empty_one_survives_as_well() -> None:
    empty = make_reference(
        np.empty((0, 1)), contract_of(feature("x", ColumnType.NUMBER)), np.empty(0)
    )
    assert repr(Reference.from_bytes(empty.to_bytes())) == repr(empty)


@pytest.mark.parametrize("damage", ["empty", "cut", "another file"])
def test_a_damaged_file_is_reported(damage: str) -> None:
    data = reference_of(300).to_bytes()
    damaged = {"empty": b"", "cut": data[:-40], "another file": b"PAR1" + b"x" * 40 + b"PAR1"}
    with pytest.raises(ArtefactCorrupt, match=r"v1/reference\.parquet is not a training reference"):
        Reference.from_bytes(damaged[damage], "v1/reference.parquet")


def test_its_size_does_not_grow_with_the_table() -> None:
    contract = contract_of(feature("x", ColumnType.NUMBER))
    sizes = []
    for rows in (20_000, 2 * MAX_ROWS + 1):
        values = np.random.default_rng(0).normal(size=(rows, 1))
        reference = make_reference(values, contract, scores_of(rows))
        numbers = reference.features["x"].numbers
        assert numbers is not None
        assert len(numbers.values) == STRATA
        assert numbers.count <= MAX_ROWS
        sizes.append(len(reference.to_bytes()))
    assert sizes[1] < 1.2 * sizes[0]


def test_frequent_categories_are_kept_and_the_rare_ones_counted_together() -> None:
    names = [f"c{at:04}" for at in range(150)]
    contract = contract_of(feature("place", ColumnType.CATEGORY, names))
    codes = np.repeat(np.arange(150.0), np.arange(150, 0, -1))
    place = make_reference(codes[:, None], contract, scores_of(len(codes))).features["place"]
    assert place.counts is not None
    assert list(place.counts) == names[:MAX_CATEGORIES]
    assert place.others == sum(range(1, 51))
    assert place.single == 1
