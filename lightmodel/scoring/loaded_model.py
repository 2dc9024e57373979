"""From a configuration to the model that answers."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lightmodel.config import Config
from lightmodel.contract.arrays import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.results import SampleRow
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.learners.base import FittedModel
from lightmodel.predictions.feedback import label_contract
from lightmodel.scoring.predictor import Predictor, check_samples
from lightmodel.store.factory import models_of, signer_of
from lightmodel.store.manifest import Manifest
from lightmodel.store.own_code import own_features
from lightmodel.store.verdict import newest_approved, read_verdict
from lightmodel.store.versions import Version
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.byte_stream import pieces_of
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_reader import RowReader
from lightmodel.tables.row_rules import Block, RowRules
from lightmodel.tables.sniff import dialect_for
from lightmodel.training.features import FeatureSteps
from lightmodel.training.steps import Steps

if TYPE_CHECKING:
    from lightmodel.learners.lightgbm import LightGBMModel

logger = logging.getLogger(__name__)

_MB = 1 << 20


@dataclass(frozen=True)
class Served:
    """An approved, verified and self-tested model, and where it came from.

    Attributes:
        predictor: answers rows.
        rules: its contract, ready to hold rows against it.
        row_reader: reads rows of text.
        manifest: of its version.
        folder: of its version; holds report.html and, often, feature_importance_gain.png.
    """

    predictor: Predictor
    rules: RowRules
    row_reader: RowReader
    manifest: Manifest
    folder: Path

    @property
    def version(self) -> str:
        """The name that `X-Model-Version` gives."""
        return self.manifest.version

    @property
    def contract(self) -> Contract:
        """What its rows must fit."""
        return self.predictor.contract

    def body_reader(self, config: Config) -> BodyReader:
        """Return what reads requests for this model."""
        return body_reader(self.rules, self.row_reader, config)

    def label_reader(self, config: Config) -> BodyReader:
        """Return what reads late labels of this model's rows."""
        return body_reader(RowRules(label_contract(self.contract)), self.row_reader, config)


def body_reader(rules: RowRules, reader: RowReader, config: Config) -> BodyReader:
    """Return what reads rows of a contract within the service's limits."""
    limits = Limits(
        config.serve.max_megabytes * _MB,
        config.serve.max_whole_megabytes * _MB,
        config.serve.max_columns,
    )
    return BodyReader(rules, reader, dialect_for(rules.contract, config.data), limits)


def label_blocks(file: Path, contract: Contract, config: Config) -> Iterator[Block]:
    """Read late labels from a file, of any form."""
    reader = body_reader(RowRules(label_contract(contract)), read_rows, config)
    limits = Limits(sys.maxsize, sys.maxsize, config.serve.max_columns)  # of requests only
    return replace(reader, limits=limits).read(pieces_of(file))


class Shelf:
    """The models of a store, as a server sees them: the newest that is approved and answers rightly."""

    def __init__(self, config: Config) -> None:
        self.folder = config.store.root / "model"
        self._store = models_of(config)
        self._signer = signer_of(config)

    def state(self) -> frozenset[tuple[str, int, int]]:
        """Give a value that changes when a version comes, goes, or gets another verdict; cheap."""
        found = set()
        for path in (*self.folder.glob("*/verdict.json"), *self.folder.glob("*/manifest.json")):
            try:
                about = path.stat()
            except OSError:
                continue  # it went while we looked
            found.add((str(path), about.st_mtime_ns, about.st_ino))
        return frozenset(found)

    def newest(self, current: Served | None) -> Served:
        """Open the newest approved model, or give `current` back where it is that one.

        Raises:
            ArtefactMissing: no approved model answers as it did when it was made.
        """
        refused: set[str] = set()
        while True:
            version = newest_approved(self._store, self._signer, besides=refused)
            if current and version.name == current.version:
                return current
            try:
                return open_version(version)
            except LightModelError as error:
                self._store.tell_once(version.name, error)
                refused.add(version.name)

    def is_withdrawn(self, name: str) -> bool:
        """Say whether somebody took back the approval of a model that is still whole."""
        try:
            verdict = read_verdict(self._store.get(name), self._signer)
        except LightModelError:
            return False
        return verdict is not None and not verdict.passed


def open_version(version: Version) -> Served:
    """Open one model and test it on its own sample rows.

    Raises:
        ArtefactCorrupt: its bytes are not those of its manifest, or it scores its samples otherwise.
    """
    manifest = version.manifest
    rules = RowRules(Contract.from_dict(manifest.contract or {}))
    steps = _steps(version, rules.contract)
    explains = manifest.made_by == "lightgbm"
    for predict, row_reader in _ways(version):
        predictor = Predictor(
            version.name,
            rules.contract,
            manifest.threshold,
            steps.around(predict),
            _contributions(version, steps.features) if explains else None,
            steps.features.names,
        )
        try:
            try_samples(predictor, rules, manifest.samples)
        except ArtefactCorrupt as error:
            last = error
            logger.warning("%s", error.message)
        else:
            return Served(predictor, rules, row_reader, manifest, version.folder)
    raise last


def _ways(version: Version) -> Iterator[tuple[Callable[[Matrix], Scores], RowReader]]:
    """Give the ways to score, the fastest first: the compiled model, and the one in the bundle."""
    if "compiled.json" in version.manifest.files:
        from lightmodel.learners.compiled.build import NotCompiledError
        from lightmodel.learners.compiled.files import open_compiled

        try:
            trees, rows = open_compiled(version.read)
        except NotCompiledError as why:
            logger.warning("%s: its compiled model is not used: %s", version.name, why)
        else:
            yield trees.predict, rows
    yield _open_bundle(version).predict, read_rows


def _steps(version: Version, contract: Contract) -> Steps:
    """Give what stands around a version's model; most have nothing there, and stay closed."""
    if not version.manifest.steps:
        return Steps(FeatureSteps(contract, {}))
    from lightmodel.store import codec

    return Steps.from_payload(codec.load(version), contract, own_features(version))


def _open_bundle(version: Version) -> FittedModel:
    from lightmodel.store import codec

    bundle = codec.load(version)
    return load_model(bundle["learner"], bundle["model"], threads=1)


def _contributions(version: Version, steps: FeatureSteps) -> Callable[[Matrix], Matrix]:
    """Give what explains scores; LightGBM itself is loaded when somebody asks."""
    opening = threading.Lock()

    @cache
    def booster() -> "LightGBMModel":
        model = _open_bundle(version)
        return cast("LightGBMModel", model)

    def contribute(features: Matrix) -> Matrix:
        with opening:
            model = booster()
        return model.contributions(steps.extend(features))

    return contribute


def try_samples(predictor: Predictor, rules: RowRules, samples: Sequence[dict[str, Any]]) -> None:
    """Score the manifest's sample rows through the same code that reads requests.

    Raises:
        ArtefactCorrupt: they are not scored as when the model was made.
    """
    rows = [SampleRow(sample["values"], tuple(sample["score"])) for sample in samples]
    block = JsonBlocks(rules, frozenset()).block([row.values for row in rows])
    check_samples(predictor, block, rows)


def load_model(learner: str, payload: dict[str, Any], threads: int) -> FittedModel:
    """Build a model from the name of its learner and its payload."""
    if learner == "blend":
        from lightmodel.learners.blend import BlendModel

        return BlendModel.from_payload(payload, partial(load_model, threads=threads))
    if learner == "lightgbm":
        from lightmodel.learners.lightgbm import LightGBMModel

        return LightGBMModel.from_payload(payload, threads)
    if learner == "neural":
        from lightmodel.learners.network import NeuralModel

        return NeuralModel.from_payload(payload)
    from lightmodel.learners.sklearn import SklearnModel

    return SklearnModel.from_payload(payload)
