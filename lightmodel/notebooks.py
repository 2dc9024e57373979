"""A project in a notebook: the chain, the training rows and cross-validation, in one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lightmodel.config import Config, load
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, QualityGateFailed
from lightmodel.learners.base import contribution_function
from lightmodel.pipeline import CHAIN, RunContext, run_chain
from lightmodel.pipeline.context import contract_of, read_split
from lightmodel.pipeline.train import train_spec
from lightmodel.progress import SilentProgress
from lightmodel.store.lock import run_lock
from lightmodel.store.versions import Version, splits_of
from lightmodel.tables.encode import feature_matrix
from lightmodel.tracking.uploader import recording

if TYPE_CHECKING:
    import pandas as pd

    from lightmodel.training.cross_validation import CrossValidationResult


@dataclass(frozen=True)
class Project:
    """A project with its settings, as `Project(("train.folds=5",))`.

    Attributes:
        sets: settings that override those of the file, such as "train.folds=5".
        file: the settings file; None means config.toml.
    """

    sets: tuple[str, ...] = ()
    file: Path | None = None

    def with_settings(self, *sets: str) -> "Project":
        """Return the same project with some settings changed."""
        return Project((*self.sets, *sets), self.file)

    @cached_property
    def config(self) -> Config:
        """The settings in force."""
        return load(self.file, self.sets).config

    def run(self, *stages: str) -> "pd.DataFrame":
        """Run the chain, or only the named stages.

        Returns:
            a row for each stage, and one more, "gate", if the model was rejected.
        """
        import pandas as pd

        chosen = [stage for stage in CHAIN if stage.name in stages or not stages]
        columns = ["stage", "did", "why", "rows", "metric", "rejected"]
        rows: list[list[object]] = []
        with recording(self.config) as record, run_lock(self.config.store.root):
            context = RunContext(self.config, SilentProgress(), record)
            try:
                for outcome in run_chain(context, chosen):
                    rows.append([getattr(outcome, name) for name in columns])  # noqa: PERF401 — keeps the rows before a failure
            except QualityGateFailed as error:
                rows.append(["gate", "rejected", error.message, 0, "", ""])
        return pd.DataFrame(rows, columns=columns).set_index("stage")

    @cached_property
    def split(self) -> Version:
        """The newest split."""
        return splits_of(self.config).newest()

    @cached_property
    def contract(self) -> Contract:
        """The data contract of the newest split."""
        return contract_of(self.split)

    @cached_property
    def training_table(self) -> pa.Table:
        """The training rows as an Arrow table, in the contract's types."""
        config = self.config
        return read_split(splits_of(config), self.split, "train", config.store.work)

    def training_rows(self) -> "pd.DataFrame":
        """Return the training rows as a DataFrame."""
        frame: pd.DataFrame = self.training_table.to_pandas()
        return frame

    def cross_validate(self) -> "CrossValidationResult":
        """Cross-validate these settings; no model is published, and no test row is read."""
        from lightmodel.training.cross_validation import cross_validate

        spec = replace(train_spec(self.config, "", SilentProgress()), checkpoints=None)
        return cross_validate(self.training_table, self.contract, spec)

    def compare(self, settings: Mapping[str, Sequence[str]]) -> "pd.DataFrame":
        """Cross-validate variants (name → settings) on the same folds.

        Returns:
            a row for each variant, a column for each metric of the pooled out-of-fold scores.
        """
        import pandas as pd

        variants = {name: self.with_settings(*sets) for name, sets in settings.items()}
        metrics = {name: project.cross_validate().metrics for name, project in variants.items()}
        return pd.DataFrame(metrics).T

    def explain(self, fitted: "CrossValidationResult", rows: "pd.DataFrame") -> "pd.DataFrame":
        """Refit the model, and return the contribution of each feature to the raw scores of some rows.

        Args:
            fitted: the result of `cross_validate`, by LightGBM with one score per row.
            rows: the rows to explain, with the contract's columns.

        Returns:
            a row for each of `rows`, a column for each feature.

        Raises:
            ConfigError: the model has no feature contributions.
        """
        import pandas as pd

        model = fitted.trainer.refit(fitted.fits)
        contributions = contribution_function(model)
        if contributions is None or fitted.data.kind is TaskKind.MULTICLASS:
            raise ConfigError(
                "only LightGBM models with one score per row have feature contributions"
            )
        known = [one.name for one in self.contract.columns if one.name in rows.columns]
        table = pa.Table.from_pandas(rows[known], preserve_index=False)
        steps = fitted.steps
        matrix = feature_matrix(table, self.contract, steps.texts)
        extended = steps.extend(matrix, *steps.others_of(table))
        parts, names = contributions(extended), list(steps.feature_names)
        return pd.DataFrame(parts[:, :-1], index=rows.index, columns=names)
