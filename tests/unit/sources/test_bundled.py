"""Tables that need no network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import ConfigError
from lightmodel.sources import bundled, sample_data
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.bundled import MAX_ROWS, MAX_SEED, Table, parse_table
from tests.fakes.progress import Watching

ROWS = st.integers(1, MAX_ROWS)
SEEDS = st.integers(0, MAX_SEED)


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 0, Watching())


def test_the_sample_is_what_the_generator_draws(
    options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_data, "BLOCK_ROWS", 64)  # several blocks, the last one not full
    (path,) = bundled.fetch("sample://santander?rows=150&seed=7", options).paths
    table = pa_csv.read_csv(path)
    sample = sample_data.generate(150, 7)
    assert table.column_names == ["ID_code", "target", *sample_data.FEATURES]
    assert table["ID_code"].to_pylist() == [f"row_{row}" for row in range(150)]
    assert np.array_equal(table["target"].to_numpy(), sample.target)
    features = np.column_stack([table[name].to_numpy() for name in sample_data.FEATURES])
    assert np.array_equal(features, sample.features)


def test_the_sample_is_written_without_quotes_as_kaggles_file_is(options: FetchOptions) -> None:
    (path,) = bundled.fetch("sample://santander?rows=2", options).paths
    assert b'"' not in path.read_bytes()
    assert path.read_bytes().startswith(b"ID_code,target,var_0,")


def test_the_same_sample_has_the_same_bytes_and_another_seed_others(
    options: FetchOptions, tmp_path: Path
) -> None:
    elsewhere = replace(options, cache=tmp_path / "elsewhere")
    uri = "sample://santander?rows=20&seed="
    first, again = (bundled.fetch(uri + "1", choice) for choice in (options, elsewhere))
    assert first.sha256 == again.sha256 != bundled.fetch(uri + "2", options).sha256


def test_parameters_left_out_have_their_defaults() -> None:
    assert parse_table("sample://santander").uri == "sample://santander?rows=20000&seed=0"


def test_another_generator_makes_another_sample(
    options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching()
    options = replace(options, progress=watching)
    bundled.fetch("sample://santander?rows=5", options)
    monkeypatch.setattr(bundled, "_GENERATOR", Path(__file__))
    assert not bundled.fetch("sample://santander?rows=5", options).changed
    assert len(watching.tasks) == 2


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [("breast_cancer", 569, 31), ("wine", 178, 14), ("diabetes", 442, 11), ("digits", 1797, 65)],
)
def test_scikit_learns_data_sets_come_with_their_target_last(
    options: FetchOptions, name: str, rows: int, columns: int
) -> None:
    from sklearn import datasets

    (path,) = bundled.fetch(f"sklearn://{name}", options).paths
    table = pa_csv.read_csv(path)
    data = getattr(datasets, f"load_{name}")()
    assert (table.num_rows, table.num_columns) == (rows, columns)
    assert table.column_names == [*data.feature_names, "target"]
    values = np.column_stack([column.to_numpy() for column in table.columns])
    assert np.array_equal(values, np.column_stack([data.data, data.target]))


def test_the_pixels_of_digits_are_named_by_row_and_column(options: FetchOptions) -> None:
    (path,) = bundled.fetch("sklearn://digits", options).paths
    header = path.read_text().partition("\n")[0].split(",")
    assert header == [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + [
        "target"
    ]


@given(ROWS, SEEDS)
def test_the_parts_of_an_address_can_be_parsed_back(rows: int, seed: int) -> None:
    table = Table("sample", "santander", (("rows", rows), ("seed", seed)))
    assert parse_table(table.uri) == table
    assert parse_table(f"SAMPLE://santander/?seed={seed}&rows={rows}") == table


@given(
    st.sampled_from(["sample://", "sklearn://", "sample://santander?", "sample://santander?rows="]),
    st.text(max_size=30),
)
def test_any_address_is_a_known_table_or_a_config_error(start: str, text: str) -> None:
    try:
        table = parse_table(start + text)
    except ConfigError:
        return
    assert table.name in {*bundled.SAMPLES, *bundled.SKLEARN}
    assert 1 <= dict(table.parameters).get("rows", 1) <= MAX_ROWS


@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        (
            "sample://santnader",
            "there is no sample://santnader",
            "did you mean sample://santander?",
        ),
        ("sklearn://iris", "there is no sklearn://iris", "breast_cancer"),
        ("sklearn://breast-cancer", "there is no", "did you mean sklearn://breast_cancer?"),
        ("sklearn://wine?rows=5", "no parameter 'rows'", "leave out"),
        ("sample://santander?row=5", "no parameter 'row'", "did you mean rows?"),
        ("sample://santander?rows=5&rows=6", "twice", "once"),
        ("sample://santander?rows=0", "from 1 to", "rows=20000"),
        ("sample://santander?rows=10000001", "from 1 to 10000000", "rows=20000"),
        ("sample://santander?rows=-5", "whole number", "rows=20000"),
        ("sample://santander?rows=1e3", "whole number", "rows=20000"),
        ("sample://santander?rows=", "whole number", "rows=20000"),
        ("sample://santander?seed=1.5", "whole number", "seed=0"),
    ],
)
def test_the_error_for_a_misspelt_address_suggests_known_names(
    options: FetchOptions, uri: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        bundled.fetch(uri, options)
    assert hint in caught.value.hint
