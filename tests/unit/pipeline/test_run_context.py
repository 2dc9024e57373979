"""The stages' inputs and outcomes: formatted metrics, the parts of a split, the gate's error."""

import logging
from pathlib import Path

import pyarrow as pa
import pytest

from lightmodel.config import Config, DataSection, GateSection
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.contract.task import METRICS
from lightmodel.errors import ArtefactCorrupt
from lightmodel.pipeline.context import (
    Outcome,
    contract_of,
    deciding_metric,
    format_metric,
    gate_failure,
    metric_value,
    read_split,
    split_file,
    timed,
)
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store, Version
from lightmodel.tables.split_files import SplitFormat, write_table

AUC = METRICS["auc"]
TABLE = pa.table({"who": ["a", "b", None, "a"], "age": [1, 2, 3, 4], "bought": [0, 1, 0, 1]})
REJECTED = Outcome("testing", "made", "untested", "20260101T000000000000Z-aaaaaa", rejected="No.")


def splits() -> Store:
    return Store(Path("preprocessed"), "split", Signer(None))


def split(suffix: SplitFormat = "csv") -> Version:
    contract = infer(TABLE, ColumnHints("bought")).contract.to_dict()
    with splits().draft() as draft:
        for part, rows in (("train", TABLE.slice(0, 3)), ("test", TABLE.slice(3))):
            with draft.path(f"{part}.{suffix}") as path:
                write_table(rows, path, suffix, threads=1)
        return draft.publish(inputs={}, parameters={}, rows={}, fingerprint="", contract=contract)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_part_is_read_in_the_types_of_the_contract(suffix: SplitFormat) -> None:
    version = split(suffix)
    assert split_file(version, "train") == f"train.{suffix}"
    assert read_split(splits(), version, "train").equals(TABLE.slice(0, 3))
    assert contract_of(version).target.name == "bought"


def test_a_damaged_part_is_refused_and_the_other_one_is_not_opened() -> None:
    version = split()
    version.file("test.csv").write_bytes(b"damaged")
    assert read_split(splits(), version, "train").num_rows == 3
    with pytest.raises(ArtefactCorrupt, match=r"test\.csv"):
        read_split(splits(), version, "test")


def test_the_metric_of_the_gate_decides() -> None:
    assert deciding_metric(Config(), split()) == AUC
    config = Config(data=DataSection(), gate=GateSection(metric="f1"))
    assert deciding_metric(config, split()).name == "f1"


def test_metrics_are_formatted_with_four_decimals() -> None:
    assert format_metric({"auc": 0.81254}, AUC) == "AUC 0.8125"
    assert format_metric({"auc": None}, AUC) == format_metric({}, AUC) == "AUC undefined"
    assert metric_value({"auc": 0.5}, AUC) == 0.5


def test_the_error_of_a_rejected_candidate_ends_with_the_sentence() -> None:
    assert gate_failure(REJECTED).message == f"{REJECTED.version} is not approved: No."
    assert gate_failure(REJECTED, "So it is.").message.endswith("is not approved: No. So it is.")


def test_a_stage_is_timed_and_its_start_and_end_are_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outcome = timed("testing", lambda: REJECTED)
    assert outcome.seconds > 0
    start, end = (vars(record) for record in caplog.records)
    assert (start["event"], start["stage"]) == ("stage started", "testing")
    assert (end["event"], end["stage"], end["rows"]) == ("stage ended", "testing", REJECTED.rows)
    assert end["seconds"] == round(outcome.seconds, 3)
