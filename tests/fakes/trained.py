"""Models trained on small tables in this process, and the scores of their training rows."""

import os
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

import lightmodel.report.page
import lightmodel.report.plots.training
import lightmodel.service
from lightmodel.cli.run import run
from lightmodel.config import Config, load
from lightmodel.contract.task import TaskKind
from lightmodel.pipeline.context import contract_of, read_split
from lightmodel.scoring.model_store import ModelStoreView, open_version
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of, splits_of
from lightmodel.tables.encode import feature_matrix
from lightmodel.tables.other_columns import other_columns
from lightmodel.tracking.pyfunc import RowModel
from tests.fakes.reading import compiled_rows

QUICK = {
    "train.parameters": "{num_leaves = 6, max_rounds = 12, learning_rate = 0.3, min_data_in_leaf = 3, "
    "min_data_per_group = 3, cat_smooth = 1}",
    "train.folds": "2",
    "train.compile": "never",  # the reader of rows is compiled once for all models
    "gate.bootstrap": "10",
    "log.sink": "none",
    "tracking.uri": "none",
}


@dataclass(frozen=True)
class Trained:
    """An approved model.

    Attributes:
        config: that it was made by.
        served: the model, opened as the service opens it.
        train_scores: of the split's training rows, one row each, in their order.
        test_scores: of the split's test rows.
    """

    config: Config
    served: LoadedModel
    train_scores: list[list[float]]
    test_scores: list[list[float]]

    @property
    def rows(self) -> int:
        """Return the number of rows of the table."""
        return len(self.train_scores) + len(self.test_scores)

    def client(self, *, compiled: bool) -> FlaskClient:
        """Return a client of the service on this model, whose rows are read by one of the readers."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                lightmodel.service, "ModelStoreView", _CompiledStore if compiled else ModelStoreView
            )
            client = lightmodel.service.create_app(self.config).test_client()
            assert client.get("/ready").status_code == 200
        return client

    def row_model(self) -> RowModel:
        """Return the model as MLflow calls it."""
        return RowModel(self.served)

    def decided(self, scores: Sequence[float]) -> object:
        """Return the prediction that follows from one row's scores."""
        task = self.served.contract.task
        if task.kind is TaskKind.REGRESSION:
            return scores[0]
        if task.kind is TaskKind.MULTICLASS:
            return task.labels[int(np.argmax(scores))]
        threshold = self.served.manifest.threshold
        return task.labels[int(scores[0] >= (0.5 if threshold is None else threshold))]


class _CompiledStore(ModelStoreView):
    """Opens models with the compiled reader of rows."""

    def newest(self, current: LoadedModel | None) -> LoadedModel:
        return replace(super().newest(current), row_reader=compiled_rows())


def settings_for(folder: Path, settings: Iterable[tuple[str, object]]) -> list[str]:
    """Return `section.key=value` strings for a run that touches nothing outside `folder`."""
    places = {"store.root": folder / "store", "store.work": folder / "work"}
    return [f"{key}={value}" for key, value in {**QUICK, **places, **dict(settings)}.items()]


def run_chain(sets: Sequence[str], config_file: Path | None = None, *, force: bool = False) -> None:
    """Run all stages, with `force` even if nothing has changed.

    No picture is drawn, for that takes longer than all else.
    """
    words = ["--config", str(config_file)] if config_file else []
    words += ["--force"] if force else []
    with (
        pytest.MonkeyPatch.context() as patch,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        patch.setattr(
            lightmodel.report.page, "_charts", lambda _: {"charts": (), "training_charts": []}
        )
        patch.setattr(lightmodel.report.plots.training, "importance_png", lambda *_, **__: b"")
        run.main(
            [*words, *(word for one in sets for word in ("--set", one))], standalone_mode=False
        )


def train(
    folder: Path, settings: Iterable[tuple[str, object]], example: Path | None = None
) -> Trained:
    """Run the chain in a folder and open the model that it approved.

    Args:
        folder: for the artefacts.
        settings: keys and values of the configuration; `data.source` and `data.target` among them.
        example: a configuration to start from.
    """
    sets = settings_for(folder, settings)
    run_chain(sets, example)
    config = load(example, sets).config
    served = open_version(newest_approved(models_of(config)))
    return Trained(config, served, *(_scores(config, served, side) for side in ("train", "test")))


def _scores(config: Config, served: LoadedModel, side: str) -> list[list[float]]:
    """Score one part of the split as training and testing read it."""
    splits = splits_of(config)
    split = splits.get(served.manifest.inputs["split"])
    table = read_split(splits, split, side)
    contract = contract_of(split)
    others = (other_columns(table, contract).table,) if served.rules.others else ()
    matrix = feature_matrix(table, contract, served.rules.encoders)
    scores = served.predictor.score(matrix, *others)
    rows: list[list[float]] = scores.reshape(table.num_rows, -1).tolist()
    return rows


def scores_in(row: dict[str, Any]) -> list[float]:
    """Return the scores that an answer's row holds."""
    scores = row.get("probability", row["prediction"])
    return list(scores.values()) if isinstance(scores, dict) else [scores]


def is_merged(whole: Sequence[object], first: Sequence[object], second: Sequence[object]) -> bool:
    """Return whether `whole` holds all of `first` and of `second`, each in its order, and no more.

    A split takes rows out of a table and keeps their order, so that this is what the scores of the
    whole table are to the scores of its two sides.
    """
    taken = {0}  # rows of `first` that may have been met so far
    for at, value in enumerate(whole):
        ahead = {one + 1 for one in taken if one < len(first) and first[one] == value}
        stays = {one for one in taken if at - one < len(second) and second[at - one] == value}
        taken = ahead | stays
    return len(whole) == len(first) + len(second) and len(first) in taken
