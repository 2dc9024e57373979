"""A table becomes a split, or an error with all its violations."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.profile import Profile
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, ContractViolation, DataError, DriftExceeded
from lightmodel.training.drift import AcceptedTable
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess

ROWS = 400


def table_of(
    rows: int = ROWS, seed: int = 0, **columns: Sequence[object] | npt.NDArray[Any]
) -> pa.Table:
    random = np.random.default_rng(seed)
    base = {
        "id": [f"s{seed}r{row}" for row in range(rows)],
        "x": random.normal(size=rows),
        "colour": random.choice(["red", "blue", "green"], rows, p=[0.5, 0.3, 0.2]),
        "target": random.integers(0, 2, rows),
    }
    return pa.table({**base, **columns})


def options(data: dict[str, object] | None = None, **split: object) -> PreprocessOptions:
    return PreprocessOptions(
        DataSection.model_validate(data or {}), SplitSection.model_validate(split), TrainSection()
    )


def accepted_from(result: PreprocessingResult) -> AcceptedTable:
    return AcceptedTable(result.contract, result.profile)


def broken_rules(table: pa.Table, accepted: AcceptedTable | None = None) -> set[tuple[str, str]]:
    with pytest.raises(ContractViolation) as caught:
        preprocess(table, options(), accepted)
    return {(item.column, item.rule) for item in caught.value.violations}


def test_an_absent_column_of_the_split_is_blamed_on_its_setting() -> None:
    with pytest.raises(DataError, match=r"no column 'day', which split\.method names"):
        preprocess(table_of(), options(method="time:day"), None)


def test_rows_without_a_target_are_named_with_a_way_to_remove_them() -> None:
    targets = [None, 1, 0, None, *[0, 1] * 8]
    with pytest.raises(ContractViolation, match=r"rows 1, 4; 2 in all") as caught:
        preprocess(table_of(20, target=targets), options(), None)
    assert caught.value.hint == "in pandas: table.dropna(subset=['target'])"


def amounts(currency: str = "$", rows: int = ROWS) -> list[str]:
    return [f"{currency}{1000 + 7 * row:,}.50" for row in range(rows)]


def test_amounts_become_numbers_by_the_format_in_the_contract() -> None:
    result = preprocess(table_of(price=amounts()), options(), None)
    price = next(column for column in result.contract.columns if column.name == "price")
    assert (price.type, price.format) == (ColumnType.NUMBER, "amount $#,##0.##")
    assert (price.minimum, price.maximum) == (1000.5, 1000.5 + 7 * (ROWS - 1))
    assert pa.types.is_floating(result.train["price"].type)
    assert result.profile.columns["price"].mean is not None
    for prices in (amounts(), [1000.5] * ROWS, ["1000.5"] * ROWS):  # the next table
        again = preprocess(table_of(seed=1, price=prices), options(), accepted_from(result))
        assert [one for one in again.contract.columns if one.name == "price"] == [price]


def test_amounts_of_another_currency_break_the_contract() -> None:
    accepted = accepted_from(preprocess(table_of(price=amounts()), options(), None))
    assert broken_rules(table_of(price=amounts("€")), accepted) == {("price", "type")}


def test_a_table_that_was_of_numbers_may_come_with_amounts() -> None:
    numbers = [1000.5 + 7 * row for row in range(ROWS)]
    accepted = accepted_from(preprocess(table_of(price=numbers), options(), None))
    result = preprocess(table_of(price=amounts()), options(), accepted)
    price = next(column for column in result.contract.columns if column.name == "price")
    assert price.format == "amount $#,##0.##"


def test_an_older_model_s_texts_stay_texts() -> None:
    texts = ["$1,000.50", "$2,000.50"] * (ROWS // 2)
    result = preprocess(table_of(price=texts), options(), None)
    columns = [
        replace(one, type=ColumnType.CATEGORY, categories=("$1,000.50", "$2,000.50"), format="")
        if one.name == "price"
        else one
        for one in result.contract.columns
    ]
    older = replace(result.contract, columns=tuple(columns))
    again = preprocess(table_of(price=texts), options(), AcceptedTable(older, result.profile))
    assert set(again.train["price"].to_pylist()) == set(texts)


def test_a_target_of_amounts_is_a_number() -> None:
    result = preprocess(table_of(target=amounts()), options(), None)
    assert result.contract.task.kind is TaskKind.REGRESSION


def test_ids_are_left_as_they_are_written() -> None:
    texts = [f"{1000 + row:,}" for row in range(ROWS)]
    result = preprocess(table_of(id=texts), options(), None)
    assert set(result.train["id"].to_pylist()) <= set(texts)


def test_ignored_columns_are_what_their_texts_say_and_else_stay_texts() -> None:
    columns: dict[str, Any] = {
        "fee": [f"${1000 + row:,}" for row in range(ROWS)],
        "day": [f"{1 + row % 28:02}.01.2024" for row in range(ROWS)],
        "unclear": ["03/04/2024", "05/06/2024"] * (ROWS // 2),
        "mostly": [*["12%"] * (ROWS - 1), "none"],
    }
    settings = options({"ignore": list(columns)})
    result = preprocess(table_of(**columns), settings, None)
    kinds = {one.name: (str(one.type), one.format) for one in result.contract.columns}
    assert kinds["fee"] == ("integer", "amount $#,##0.##")
    assert kinds["day"] == ("date", "date day_first")
    assert (kinds["unclear"][0], kinds["mostly"][0]) == ("category", "category")
    assert not result.warnings
    again = preprocess(table_of(**columns), settings, accepted_from(result))
    assert again.contract.columns == result.contract.columns


def test_a_column_that_is_nearly_one_of_amounts_is_warned_of() -> None:
    result = preprocess(table_of(price=[*amounts()[:-1], "€5"]), options(), None)
    assert any("'price'" in one and "in one way" in one for one in result.warnings)


def test_each_row_is_in_one_part_and_shares_are_kept() -> None:
    table = table_of(5_000)
    result = preprocess(table, options(), None)
    ids = [set(part["id"].to_pylist()) for part in (result.train, result.test)]
    assert ids[0] | ids[1] == set(table["id"].to_pylist())
    assert not ids[0] & ids[1]
    assert 0.28 < result.test.num_rows / 5_000 < 0.32
    positives = [np.mean(part["target"].to_pylist()) for part in (result.train, result.test)]
    assert abs(positives[0] - positives[1]) < 0.05


def test_the_seed_determines_the_split() -> None:
    table = table_of()
    first, again, other = (preprocess(table, options(seed=seed), None).test for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("columns", "broken"),
    [
        ({"target": [None] * ROWS}, {("target", "empty")}),
        ({"target": [1] * ROWS}, {("target", "constant")}),
        ({"target": [*["a", "b"] * (ROWS // 2 - 1), "a", "c"]}, {("target", "single_row_class")}),
        ({"target": ["1.0", *["1"] * (ROWS - 1)]}, {("target", "constant")}),
        ({"target": [None, *[0, 1] * (ROWS // 2 - 1), 1]}, {("target", "missing")}),
        ({"x": [float("inf"), *[0.5, 1.5] * (ROWS // 2 - 1), 1.0]}, {("x", "infinite")}),
        (
            {"x": [float("-inf"), *[0.5] * (ROWS - 1)], "target": [1] * ROWS},
            {("x", "infinite"), ("target", "constant")},
        ),
    ],
)
def test_a_table_that_cannot_be_trained_on_is_rejected(
    columns: dict[str, list[object]], broken: set[tuple[str, str]]
) -> None:
    assert broken_rules(table_of(ROWS, 0, **columns)) == broken


def test_spellings_of_a_number_are_one_class() -> None:
    spelled = table_of(target=["1.0", *["a", "1"] * (ROWS // 2 - 1), "a"])
    for rule in ("stop", "drop", "merge"):
        result = preprocess(spelled, options({"rare_classes": rule}), None)
        assert result.contract.task.labels == ("a", "1")
        assert result.train.num_rows + result.test.num_rows == ROWS
        assert not any("only one of its class" in text for text in result.warnings)


def test_repeated_columns_are_named() -> None:
    table = table_of().append_column("x", pa.array([0.0] * ROWS))
    assert broken_rules(table) == {("x", "duplicate_column")}


def test_a_class_smaller_than_the_folds_is_a_warning() -> None:
    table = table_of(target=[*["a", "b"] * (ROWS // 2 - 2), *["c"] * 4])
    warnings = preprocess(table, options(), None).warnings
    assert any(
        "class c has fewer training rows" in text and "folds (10)" in text for text in warnings
    )


def test_repeated_ids_are_a_warning_and_are_not_split() -> None:
    table = table_of(id=[f"r{row // 2}" for row in range(ROWS)])
    result = preprocess(table, options({"id": "id"}), None)
    assert not set(result.train["id"].to_pylist()) & set(result.test["id"].to_pylist())
    assert any("repeat an id" in text for text in result.warnings)


def test_a_split_by_time_tests_on_the_latest_and_leaves_the_time_out_of_the_features() -> None:
    table = table_of(day=list(range(ROWS, 0, -1)))
    result = preprocess(table, options(method="time:day"), None)
    assert min(result.test["day"].to_pylist()) > max(result.train["day"].to_pylist())
    assert "day" not in result.contract.feature_names


def test_a_split_by_group_keeps_groups_whole() -> None:
    table = table_of(who=[f"p{row % 30}" for row in range(ROWS)])
    result = preprocess(table, options(method="group:who"), None)
    assert not set(result.train["who"].to_pylist()) & set(result.test["who"].to_pylist())


def test_a_stratified_split_of_numbers_is_refused() -> None:
    numbers = np.random.default_rng(0).normal(size=ROWS).tolist()
    with pytest.raises(ConfigError, match="'target' is a number"):
        preprocess(table_of(target=numbers), options(method="stratified"), None)


def test_the_next_table_is_validated_against_the_contract() -> None:
    accepted = accepted_from(preprocess(table_of(), options(), None))
    changed = table_of(seed=1, x=["?"] * ROWS).drop_columns(["colour"])
    assert broken_rules(changed, accepted) == {("x", "type"), ("colour", "absent")}


def test_the_contract_is_widened_by_the_next_table() -> None:
    accepted = accepted_from(preprocess(table_of(), options(), None))
    later = table_of(seed=1, extra=[1] * ROWS, colour=["pink", *["red"] * (ROWS - 1)])
    result = preprocess(later, options(), accepted)
    colour = next(column for column in result.contract.columns if column.name == "colour")
    assert colour.categories == ("blue", "green", "pink", "red")
    assert "extra" not in result.train.column_names
    assert any("'colour': 1 rows have a new category" in text for text in result.warnings)
    assert any("left out: extra" in text for text in result.warnings)


def test_a_number_far_beyond_the_last_table_widens_the_contract_with_a_warning() -> None:
    years = [2010 + row % 5 for row in range(ROWS)]
    accepted = accepted_from(preprocess(table_of(year=years), options(), None))
    later = table_of(seed=1, year=[2060, *years[1:]])
    result = preprocess(later, options(), accepted)
    year = next(column for column in result.contract.columns if column.name == "year")
    assert (year.minimum, year.maximum) == (2010, 2060)
    assert "column 'year': values reach from 2010 to 2060, far beyond the 2010 to 2014" in " ".join(
        result.warnings
    )
    assert not any("beyond" in text for text in preprocess(later, options(), None).warnings)
    assert broken_rules(table_of(seed=1, year=["soon"] * ROWS), accepted) == {("year", "type")}
    endless = [float("inf"), *map(float, years[1:])]
    assert broken_rules(table_of(seed=1, year=endless), accepted) == {("year", "infinite")}


def test_a_feature_of_the_approved_model_is_left_out_or_kept_by_the_settings() -> None:
    numbers = list(range(7_000, 7_000 + ROWS))
    accepted = accepted_from(preprocess(table_of(lot=numbers), options({"keep": ["lot"]}), None))
    assert "lot" in accepted.contract.feature_names
    kept = preprocess(table_of(seed=1, lot=numbers), options(), accepted)
    assert "lot" in kept.contract.feature_names
    assert any('set data.ignore = ["lot"]' in text for text in kept.warnings)
    without = preprocess(table_of(seed=1, lot=numbers), options({"ignore": ["lot"]}), accepted)
    assert "lot" not in without.contract.feature_names
    again = preprocess(
        table_of(seed=2, lot=numbers), options({"keep": ["lot"]}), accepted_from(without)
    )
    assert "lot" in again.contract.feature_names
    assert again.train["lot"].type == pa.int64()


def test_a_column_becomes_text_by_the_setting_and_stays_text_without_it() -> None:
    numbers, written = [7_000 + 9 * row for row in range(ROWS)], amounts()
    accepted = accepted_from(preprocess(table_of(lot=numbers, price=written), options(), None))
    chosen = options({"text": ["lot", "price"], "max_drift": 0.1})
    result = preprocess(table_of(lot=numbers, price=written), chosen, accepted)
    for _ in range(2):
        types = {column.name: column.type for column in result.contract.features}
        assert (types["lot"], types["price"]) == (ColumnType.TEXT, ColumnType.TEXT)
        assert set(result.train["price"].to_pylist()) <= set(written)
        result = preprocess(table_of(lot=numbers, price=written), options(), accepted_from(result))


def test_texts_drift_by_their_length() -> None:
    said = [f"see you at {row} then" for row in range(ROWS)]
    accepted = accepted_from(preprocess(table_of(said=said), options(), None))
    longer = [f"{text} or later than that" for text in said]
    drift = preprocess(table_of(said=longer), options(), accepted).drift
    assert [one.column for one in drift if one.drifted] == ["said"]


def test_texts_that_are_dates_or_amounts_are_no_free_text() -> None:
    days = [f"{dt.date(2020, 1, 1) + dt.timedelta(days=row):%d %b %Y}" for row in range(ROWS)]
    result = preprocess(table_of(day=days, price=amounts()), options(), None)
    types = {column.name: column.type for column in result.contract.features}
    assert (types["day"], types["price"]) == (ColumnType.DATE, ColumnType.NUMBER)


def test_another_target_needs_another_store() -> None:
    accepted = accepted_from(preprocess(table_of(), options(), None))
    with pytest.raises(DataError, match="the target is 'colour'"):
        preprocess(table_of(seed=1), options({"target": "colour"}), accepted)


def test_drift_is_reported_and_stops_the_chain_beyond_the_limit() -> None:
    accepted = accepted_from(preprocess(table_of(2_000), options(), None))
    moved = table_of(2_000, seed=1)
    moved = moved.set_column(1, "x", pa.array(moved["x"].to_numpy() + 1))
    result = preprocess(moved, options(), accepted)
    assert (result.drift[0].column, result.drift[0].drifted) == ("x", True)
    assert not any(item.drifted for item in result.drift[1:])
    with pytest.raises(DriftExceeded, match=r"x \(ks 0\.3\d+\); nothing was trained"):
        preprocess(moved, options({"max_drift": 0.2}), accepted)
    assert preprocess(moved, options({"max_drift": 0.9}), accepted).test.num_rows > 0


def test_a_table_like_the_last_one_has_not_drifted() -> None:
    accepted = accepted_from(preprocess(table_of(2_000), options(), None))
    drift = preprocess(table_of(2_000, seed=1), options({"max_drift": 0.2}), accepted).drift
    assert {item.column for item in drift} == {"x", "colour", "target"}
    assert not any(item.drifted for item in drift)


def test_a_few_rows_raise_no_alarm() -> None:
    accepted = accepted_from(preprocess(table_of(2_000), options(), None))
    few = table_of(14, seed=3, target=[0, 1] * 7)
    drift = preprocess(few, options({"max_drift": 0.05}), accepted).drift
    assert max(item.statistic for item in drift) > 0.05
    assert not any(item.drifted for item in drift)


def test_a_frequent_number_that_moves_down_is_drift() -> None:
    for before, now in ((0.0, -1.0), (7.0, 6.5)):
        x = np.where(np.arange(2_000) % 3 > 0, before, np.linspace(8, 9, 2_000)).tolist()
        accepted = accepted_from(preprocess(table_of(2_000, x=[-5.0, *x[1:]]), options(), None))
        moved = [now if value == before else value for value in x]
        drift = preprocess(table_of(2_000, x=[-5.0, *moved[1:]]), options(), accepted).drift
        assert [one.column for one in drift if one.drifted] == ["x"]


def test_missing_values_that_appear_are_drift() -> None:
    gaps = [None if row % 50 == 0 else float(row % 7) for row in range(2_000)]
    accepted = accepted_from(preprocess(table_of(2_000, x=gaps), options(), None))
    more = [None if row % 2 == 0 else float(row % 7) for row in range(2_000)]
    drift = preprocess(table_of(2_000, seed=1, x=more), options(), accepted).drift
    assert (drift[0].column, round(drift[0].statistic, 2), drift[0].drifted) == ("x", 0.48, True)


def test_nan_counts_as_missing_as_a_null_does() -> None:
    gaps = [float("nan") if row % 4 == 0 else None if row % 4 == 1 else 1.5 for row in range(ROWS)]
    found = preprocess(table_of(x=gaps), options(), None).profile.columns["x"]
    assert (found.missing, found.mean, found.spread) == (0.5, 1.5, 0.0)


def test_a_profile_survives_json() -> None:
    profile = preprocess(table_of(), options(), None).profile
    assert Profile.from_dict(profile.to_dict()) == profile


DAYS = [f"{day:02}.{month:02}.2023" for month in range(1, 13) for day in range(1, 29)]


def test_a_split_by_days_as_text_tests_on_the_latest() -> None:
    mixed = list(np.random.default_rng(0).permutation(DAYS))
    result = preprocess(table_of(len(DAYS), day=mixed), options(method="time:day"), None)
    assert max(result.train["day"].to_pylist()) < min(result.test["day"].to_pylist())
    assert isinstance(result.test["day"][0].as_py(), dt.date)
    assert "day" not in result.contract.feature_names


def test_a_split_by_other_texts_is_refused_by_name() -> None:
    weeks = [f"2023-W{row % 52:02}" for row in range(ROWS)]
    with pytest.raises(DataError, match=r"split\.method: column 'day' holds texts"):
        preprocess(table_of(day=weeks), options(method="time:day"), None)


def test_a_split_by_days_whose_order_is_open_asks_for_it() -> None:
    days = [f"0{row % 9 + 1}/0{row // 9 % 9 + 1}/2023" for row in range(ROWS)]
    with pytest.raises(DataError, match="'day'") as caught:
        preprocess(table_of(day=days), options(method="time:day"), None)
    assert "data.dates" in caught.value.hint
    chosen = options({"dates": "month_first"}, method="time:day")
    latest = preprocess(table_of(day=days), chosen, None).test["day"].to_pylist()
    assert min(latest).month >= 6


def test_dates_are_features_and_later_ones_are_accepted_without_drift() -> None:
    first = preprocess(table_of(len(DAYS), day=DAYS), options(), None)
    assert first.contract.feature_names == ("x", "colour", "day")
    later = [day.replace("2023", "2030") for day in DAYS]
    limit = options({"max_drift": 0.1})
    after = preprocess(table_of(len(DAYS), day=later), limit, accepted_from(first))
    assert not any(item.column == "day" for item in after.drift)
    seen = {column.name: column for column in after.contract.columns}["day"]
    assert seen.minimum is not None
    assert seen.maximum is not None
    assert seen.maximum - seen.minimum > 7 * 365 * 86_400


def test_a_text_that_is_no_date_breaks_the_contract() -> None:
    first = preprocess(table_of(len(DAYS), day=DAYS), options(), None)
    wrong = table_of(len(DAYS), day=["31.02.2023", *DAYS[1:]])
    assert broken_rules(wrong, accepted_from(first)) == {("day", "type")}


def test_a_target_of_durations_is_a_number_of_seconds() -> None:
    times = [dt.timedelta(minutes=row) for row in range(ROWS)]
    result = preprocess(table_of(target=times), options(), None)
    assert result.contract.target.type.is_numeric
    assert max(result.train["target"].to_pylist() + result.test["target"].to_pylist()) == 399 * 60


def test_an_ignored_date_stays_ignored() -> None:
    result = preprocess(table_of(len(DAYS), day=DAYS), options({"ignore": ["day"]}), None)
    assert "day" not in result.contract.feature_names
    assert pa.types.is_date(result.train["day"].type)


@pytest.mark.parametrize("names", [["red", "blue"], ["red", "blue", "green"]])
@pytest.mark.parametrize("share", [0.5, 0.56, 0.7])
def test_the_significance_of_drift_is_that_of_pearsons_test(names: list[str], share: float) -> None:
    random = np.random.default_rng(2)
    chances = [share, *[(1 - share) / (len(names) - 1)] * (len(names) - 1)]
    before = random.choice(names, 900)
    now = random.choice(names, 700, p=chances)
    accepted = accepted_from(preprocess(table_of(900, colour=before.tolist()), options(), None))
    drift = preprocess(table_of(700, seed=1, colour=now.tolist()), options(), accepted).drift
    counts = [[(column == name).sum() for name in names] for column in (before, now)]
    (colour,) = [one for one in drift if one.column == "colour"]
    assert colour.p_value == pytest.approx(chi2_contingency(counts).pvalue, rel=1e-9)
