"""From a configuration to the model that answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.artefacts import codec
from lightmodel.artefacts.manifest import Manifest
from lightmodel.artefacts.store import Version
from lightmodel.artefacts.verdicts import newest_approved
from lightmodel.config import Config
from lightmodel.domain.contract import Contract
from lightmodel.domain.results import SampleRow
from lightmodel.ports.learner import FittedModel
from lightmodel.stages.prediction import Predictor, check_samples
from lightmodel.wiring.stores import models_of, signer_of


@dataclass(frozen=True)
class Served:
    """An approved, verified and self-tested model, and where it came from.

    Attributes:
        predictor: answers rows.
        manifest: of its version.
        folder: of its version; holds report.html and, often, feature_importance_gain.png.
    """

    predictor: Predictor
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


def open_newest(config: Config) -> Served:
    """Open the newest approved model and test it on its own sample rows.

    Raises:
        ArtefactMissing: no approved model is there.
        ArtefactCorrupt: it does not score its samples as it did when it was made.
    """
    version = newest_approved(models_of(config), signer_of(config))
    return open_version(version)


def open_version(version: Version) -> Served:
    """Open one model and test it on its own sample rows.

    Raises:
        ArtefactCorrupt: its bytes are not those of its manifest, or it scores its samples otherwise.
    """
    bundle = codec.load(version)
    model = load_model(bundle["runtime"], bundle["model"], threads=1)
    predictor = Predictor(
        version.name, Contract.from_dict(bundle["contract"]), bundle["threshold"], model.predict
    )
    samples = (SampleRow(item["values"], tuple(item["score"])) for item in version.manifest.samples)
    check_samples(predictor, tuple(samples))
    return Served(predictor, version.manifest, version.folder)


def load_model(runtime: str, payload: dict[str, Any], threads: int) -> FittedModel:
    """Build a model from a bundle's runtime and payload."""
    if runtime == "lightgbm":
        from lightmodel.adapters.learners.lightgbm import LightGBMModel

        return LightGBMModel.from_payload(payload, threads)
    from lightmodel.adapters.learners.sklearn import SklearnModel

    return SklearnModel.from_payload(payload)
