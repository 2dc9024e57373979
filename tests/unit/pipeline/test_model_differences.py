"""The differences that are reported if a retrained model is not equal to the original."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import Config
from lightmodel.pipeline.reproduce import circumstances, differences, settings_of
from lightmodel.store import codec
from lightmodel.store.manifest import Signer
from lightmodel.store.provenance import commit, machine
from lightmodel.store.versions import Store, Version

KEY = "inputs=1 parameters=2 code=3 libraries=4"
TEXT = "tree\nversion=v4\n\nTree=0\nnum_leaves=3\n\nTree=1\nnum_leaves=4\n"


def published(learner: dict[str, Any], libraries: dict[str, str], **bundle: Any) -> Version:
    with Store(Path("model"), "model", Signer(None)).draft() as draft:
        draft.write(codec.MODEL, codec.dump({"format": 1, **bundle}))
        return draft.publish(
            inputs={"machine": machine()},
            parameters={"learner": learner},
            rows={},
            fingerprint=KEY,
            libraries=libraries,
            commit=commit(),
        )


def model(text: str = TEXT, **bundle: Any) -> Version:
    return published({"seed": 0}, {}, model={"texts": [text], "mapping": 1}, **bundle)


@pytest.mark.parametrize(
    ("stored", "rows"), [({}, "real"), ({"sample_rows": "synthetic"}, "synthetic")]
)
def test_a_model_from_before_there_were_made_up_rows_is_made_again_with_the_table_s(
    stored: dict[str, str], rows: str
) -> None:
    version = model()
    parameters = {"train": {"seed": 3, **stored}, "split": {"method": "random"}}
    inputs = {"source": "sklearn://wine", "sha256": "0" * 64}
    manifest = replace(version.manifest, parameters=parameters, inputs=inputs)
    settings = settings_of(Config(), replace(version, manifest=manifest))
    assert (settings.train.seed, settings.train.sample_rows) == (3, rows)


def test_equal_bytes_have_no_differences() -> None:
    assert list(differences(model(threshold=0.5), model(threshold=0.5))) == []


def test_a_difference_names_its_tree_and_line() -> None:
    other = TEXT.replace("num_leaves=4", "num_leaves=5")
    assert list(differences(model(), model(other))) == ["model: tree 1, line 8 (num_leaves)"]
    other = TEXT.replace("v4", "v3")
    lines = list(differences(model(), model(other)))
    assert lines == ["model: before the first tree, line 2 (version)"]
    assert list(differences(model(), model(TEXT + "\n"))) == ["model: 8 lines originally, 9 here"]


def test_values_of_the_table_are_not_shown() -> None:
    one = model(contract={"categories": ["secret"]}, samples=({"values": {"a": 1}},))
    other = model(contract={"categories": ["other"]}, samples=({"values": {"a": 2}},))
    assert list(differences(one, other)) == ["contract", "samples: 1 of 1 rows"]


def test_parameters_and_plain_entries_are_shown_with_both_values() -> None:
    one = published({"seed": 0, "alpha": 1}, {}, threshold=0.5, model={})
    other = published({"seed": 0, "alpha": 2}, {}, threshold=0.25, model={"coefficients": [1]})
    assert list(differences(one, other)) == [
        "parameter alpha: 1 originally, 2 here",
        "threshold: 0.5 originally, 0.25 here",
        "model: coefficients",
    ]


def test_circumstances_name_code_and_libraries_that_changed() -> None:
    version = published({}, {"numpy": "0.1", "gone-from-here": "1.0"}, model={})
    code, numpy, gone = circumstances(version, KEY.replace("code=3", "code=9"))
    assert code == "code: the sources that training imports"
    assert numpy.startswith("library numpy: 0.1 originally, ")
    assert gone == "library gone-from-here: 1.0 originally, none here"
    assert circumstances(published({}, {}, model={}), KEY) == ()
