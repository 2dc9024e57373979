"""A project as a notebook sees it: its training rows and its cross-validation, by a few words."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lightmodel.config import Config, load
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, QualityGateFailed
from lightmodel.pipeline import CHAIN, Workshop, run_chain
from lightmodel.pipeline.context import read_side
from lightmodel.pipeline.factory import workshop
from lightmodel.pipeline.train import recipe_of
from lightmodel.progress.silent import SilentProgress
from lightmodel.store.checkpoints import FoldCheckpoints
from lightmodel.store.lock import run_lock
from lightmodel.store.versions import Version
from lightmodel.tables.encode import feature_matrix
from lightmodel.tracking.factory import recording

if TYPE_CHECKING:
    import pandas as pd

    from lightmodel.training.train import CrossValidated


@dataclass(frozen=True)
class Project:
    """Settings, and what they lead to.

    Attributes:
        sets: settings over those of the file, such as "train.folds=5".
        file: config.toml, or another.
    """

    sets: tuple[str, ...] = ()
    file: Path | None = None

    def but(self, *sets: str) -> "Project":
        """Give the same project with some settings changed."""
        return Project((*self.sets, *sets), self.file)

    @cached_property
    def config(self) -> Config:
        """The settings in force."""
        return load(self.file, self.sets).config

    @cached_property
    def workshop(self) -> Workshop:
        """What the chain works with."""
        return workshop(self.config, SilentProgress())

    def run(self, *stages: str) -> "pd.DataFrame":
        """Run the chain, or the stages named; a rejected model is a row of the answer, and no error."""
        import pandas as pd

        chosen = [stage for stage in CHAIN if stage.name in stages or not stages]
        told: list[tuple[str, str, str, int, str, str]] = []
        with recording(self.config) as record, run_lock(self.config.store.root):
            shop = workshop(self.config, SilentProgress(), record=record)
            try:
                told.extend(
                    (one.stage, one.did, one.why, one.rows, one.metric, one.rejected)
                    for one in run_chain(shop, chosen)
                )
            except QualityGateFailed as refused:
                told.append(("gate", "rejected", refused.message, 0, "", ""))
        columns = ["stage", "did", "why", "rows", "metric", "rejected"]
        return pd.DataFrame(told, columns=columns).set_index("stage")

    @cached_property
    def split(self) -> Version:
        """The newest split."""
        return self.workshop.splits.newest()

    @cached_property
    def contract(self) -> Contract:
        """Of the newest split."""
        return Contract.from_dict(self.split.manifest.contract or {})

    @cached_property
    def training_table(self) -> pa.Table:
        """The training rows, in the contract's types."""
        return read_side(self.workshop, self.split, "train", self.contract)

    def training_rows(self) -> "pd.DataFrame":
        """Give the training rows."""
        frame: pd.DataFrame = self.training_table.to_pandas()
        return frame

    def cross_validate(self) -> "CrossValidated":
        """Fit the folds by these settings; no model is made, and no test row is read."""
        from lightmodel.training.train import cross_validate

        with tempfile.TemporaryDirectory() as folder:
            apart = replace(self.workshop, checkpoints=lambda _: FoldCheckpoints(Path(folder)))
            return cross_validate(self.training_table, self.contract, recipe_of(apart, ""))

    def compare(self, settings: dict[str, Sequence[str]]) -> "pd.DataFrame":
        """Cross-validate variants on the same folds.

        Args:
            settings: name of the variant → its settings.

        Returns:
            a row for each variant, a column for each metric, pooled out of fold.
        """
        import pandas as pd

        found = {name: self.but(*sets).cross_validate().metrics for name, sets in settings.items()}
        return pd.DataFrame(found).T

    def explain(self, found: "CrossValidated", rows: "pd.DataFrame") -> "pd.DataFrame":
        """Say what each feature adds to the raw score of some rows, by a refit (LightGBM, one score a row).

        Args:
            found: what `cross_validate` gave.
            rows: with the contract's columns.

        Raises:
            ConfigError: the model cannot explain itself.
        """
        import pandas as pd

        model = found.trainer.refit(found.fits)
        contribute = getattr(model, "contributions", None)
        if contribute is None or found.data.kind is TaskKind.MULTICLASS:
            raise ConfigError("only LightGBM's models with one score a row explain themselves")
        table = pa.Table.from_pandas(rows[list(self.contract.feature_names)], preserve_index=False)
        features = found.steps.features
        parts = contribute(features.extend(feature_matrix(table, self.contract)))
        return pd.DataFrame(parts[:, :-1], index=rows.index, columns=list(features.names))
