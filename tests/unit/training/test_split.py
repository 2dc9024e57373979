"""Rows are assigned to training, testing and folds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import Contract
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.training.split import (
    Method,
    equal_rows_are_apart,
    fold_numbers,
    random_split,
    row_keys,
    time_blocks,
    time_split,
    uniform_draws,
)

RANDOM = Method("random")


def table_of(rows: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "id": [f"r{row}" for row in range(rows)],
            "x": random.normal(size=rows),
            "colour": random.choice(["red", "blue"], rows),
            "target": random.integers(0, 2, rows),
        }
    )


def contract_of(table: pa.Table) -> Contract:
    return infer(table, ColumnHints("target")).contract


def test_a_row_keeps_its_part_when_the_table_grows_or_is_sorted_differently() -> None:
    small, large = table_of(500), table_of(500)
    more = table_of(700, seed=1)
    more = more.set_column(0, "id", pa.array([f"new{row}" for row in range(700)]))
    large = pa.concat_tables([more, large.take(pa.array(range(499, -1, -1)))])
    before, after = (
        dict(
            zip(
                table["id"].to_pylist(),
                random_split(
                    uniform_draws(row_keys(table, contract_of(table), RANDOM), 0), 0.3, None
                ).tolist(),
                strict=True,
            )
        )
        for table in (small, large)
    )
    assert {name: after[name] for name in before} == before


def test_without_an_id_equal_rows_stay_together_and_their_label_does_not_matter() -> None:
    table = pa.table({"x": [1, 2, 1, 2], "c": ["a", "b", "a", "b"], "target": [0, 1, 1, 0]})
    keys = row_keys(table, contract_of(table), RANDOM)
    assert keys[0] == keys[2] != keys[1] == keys[3]


def passengers(rows: int, seed: int = 0) -> pa.Table:
    """Return cases that share the values of two features, and differ in the target by chance."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "class": random.choice(["1st", "2nd", "3rd"], rows),
            "child": random.choice([True, False], rows),
            "target": random.integers(0, 2, rows),
        }
    )


def apart(table: pa.Table) -> Contract:
    return replace(contract_of(table), equal_rows_apart=True)


def test_cases_that_share_their_features_are_apart_and_copies_are_not() -> None:
    cases, distinct = passengers(400), table_of(400).drop_columns(["id"])
    assert equal_rows_are_apart(cases, contract_of(cases))
    assert not equal_rows_are_apart(distinct, contract_of(distinct))
    copies = pa.concat_tables([distinct, distinct])
    assert not equal_rows_are_apart(copies, contract_of(copies))


def test_equal_rows_that_are_apart_fill_both_parts_and_all_folds() -> None:
    table = passengers(600)
    keys = row_keys(table, apart(table), RANDOM)
    assert len(np.unique(keys)) == 600
    tested = random_split(uniform_draws(keys, 0), 0.3, None)
    groups = table.group_by(["class", "child"]).aggregate([]).num_rows
    for part in (tested, ~tested):
        seen = table.filter(pa.array(part)).group_by(["class", "child"]).aggregate([])
        assert seen.num_rows == groups


@given(seed=st.integers(0, 20))
def test_equal_rows_that_are_apart_keep_their_parts_in_another_order(seed: int) -> None:
    table = passengers(100)
    order = np.random.default_rng(seed).permutation(100)

    def tested(table: pa.Table) -> list[dict[str, object]]:
        draws = uniform_draws(row_keys(table, apart(table), RANDOM), 0)
        rows: list[dict[str, object]] = table.filter(pa.array(draws < 0.3)).to_pylist()
        return sorted(rows, key=str)

    assert tested(table.take(order)) == tested(table)


def test_a_whole_number_has_one_key_however_it_was_read() -> None:
    whole = pa.table({"x": [1, 2, 0], "target": [0, 1, 1]})
    floats = pa.table({"x": [1.0, 2.0, -0.0], "target": [0, 1, 1]})
    np.testing.assert_array_equal(
        row_keys(whole, contract_of(whole), RANDOM), row_keys(floats, contract_of(floats), RANDOM)
    )


def test_seeds_and_purposes_draw_independently() -> None:
    keys = row_keys(table_of(5_000), contract_of(table_of(5_000)), RANDOM)
    draws = [uniform_draws(keys, 0), uniform_draws(keys, 1), uniform_draws(keys, 0, purpose=1)]
    for draw in draws:
        assert 0 <= draw.min() < draw.max() < 1
        assert abs(draw.mean() - 0.5) < 0.02
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 0.05


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=5),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 5),
)
def test_a_stratified_split_has_every_class_in_both_parts(
    counts: list[int], share: float, seed: int
) -> None:
    classes = np.repeat(np.arange(len(counts)), counts).astype(float)
    draws = np.random.default_rng(seed).random(len(classes))
    mask = random_split(draws, share, classes)
    for code in range(len(counts)):
        assert mask[classes == code].any()
        assert not mask[classes == code].all()


def test_a_class_of_equal_rows_only_is_for_training() -> None:
    assert not random_split(np.array([0.1, 0.1]), 0.3, np.array([0.0, 0.0])).any()


def test_rows_of_a_group_share_a_key() -> None:
    table = table_of(300).append_column("who", pa.array([f"p{row % 20}" for row in range(300)]))
    keys = row_keys(table, contract_of(table), Method("group", "who"))
    assert len(np.unique(keys)) == 20


def test_the_latest_rows_are_for_testing() -> None:
    mask = time_split(pa.chunked_array([[5, 1, 3, 2], [4, 3]]), 0.3)
    assert mask.tolist() == [True, False, False, False, True, False]


@given(
    rows=st.integers(2, 200),
    folds=st.integers(2, 12),
    classes=st.integers(1, 4),
    seed=st.integers(0, 3),
)
def test_folds_spread_every_class_evenly_and_keep_equal_rows_together(
    rows: int, folds: int, classes: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    draws = random.choice(random.random(max(2, rows // 2)), rows)
    codes = (draws * 1000 % classes // 1).astype(float)
    numbers = fold_numbers(draws, folds, codes)
    for code in np.unique(codes):
        distinct = {
            (draw, fold)
            for draw, fold in zip(draws[codes == code], numbers[codes == code], strict=True)
        }
        per_fold = np.bincount([fold for _, fold in distinct], minlength=folds)
        assert len(distinct) == len(np.unique(draws[codes == code]))
        assert per_fold.max() - per_fold.min() <= 1


def test_time_blocks_never_train_on_later_rows() -> None:
    times = pa.chunked_array([np.random.default_rng(0).permutation(100)])
    blocks = time_blocks(times, 4)
    order = times.to_numpy()
    assert sorted(set(blocks.tolist())) == [-1, 0, 1, 2, 3]
    for block in range(4):
        assert order[blocks < block].max() < order[blocks == block].min()


def test_keys_are_those_of_pandas_for_the_whole_frame() -> None:
    table = pa.table(
        {
            "x": [1.5, None, 3.0, 1.5],
            "text": ["a", None, "b", "a"],
            "other": ["é", "", None, "é"],
            "target": [0, 1, 0, 1],
        }
    )
    frame = table.drop_columns("target").to_pandas()
    expected = pd.util.hash_pandas_object(frame, index=False, categorize=False)
    keys = row_keys(table, contract_of(table), Method("random"))
    assert keys.tolist() == expected.tolist()


def test_a_date_has_one_key_in_every_type() -> None:
    kinds = (pa.date32(), pa.timestamp("us"), pa.timestamp("ns"))
    days = pa.array([19_000, None, 19_001], pa.int32()).cast(pa.date32())
    tables = [pa.table({"day": days.cast(kind), "target": [0, 1, 0]}) for kind in kinds]
    contract = contract_of(tables[0])
    first, *others = [row_keys(table, contract, Method("random")).tolist() for table in tables]
    assert all(other == first for other in others)
    assert len(set(first)) == 3
