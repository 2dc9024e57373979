"""What stands between rows and a learner's model: features that are added, scores that are corrected."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.errors import ArtefactCorrupt
from lightmodel.training.calibration import Calibration
from lightmodel.training.features import Counts, FeatureSteps, OwnFeatures

Predict = Callable[[Matrix], Scores]


@dataclass(frozen=True)
class Steps:
    """Both ends of a model; they travel in its bundle."""

    features: FeatureSteps
    calibration: Calibration | None = None

    def around(self, predict: Predict, *, calibrated: bool = True) -> Predict:
        """Return what scores the contract's features, from what scores all features."""
        calibration = self.calibration if calibrated else None
        if not (self.features.counts or self.features.own or calibration):
            return predict

        def score(features: Matrix) -> Scores:
            scores = predict(self.features.extend(features))
            return calibration.apply(scores) if calibration else scores

        return score

    @property
    def names(self) -> tuple[str, ...]:
        """What there is: "frequency", "module", "calibration"."""
        return tuple(name for name, there in self.payload()["steps"].items() if there)

    def payload(self) -> dict[str, Any]:
        """Return what goes into the bundle: one key in JSON's types, one of arrays."""
        calibration = self.calibration.to_dict() if self.calibration else None
        counts = self.features.counts
        return {
            "steps": {
                "frequency": list(counts),
                "module": list(self.features.own_names),
                "calibration": calibration,
            },
            "counts": [(one.values, one.counts) for one in counts.values()],
        }

    @classmethod
    def from_payload(
        cls, bundle: dict[str, Any], contract: Contract, own: OwnFeatures | None
    ) -> "Steps":
        """Read back what `payload` put into a bundle.

        Raises:
            ArtefactCorrupt: it adds features by the user's code, and that is not there.
        """
        steps = bundle["steps"]
        pairs = zip(steps["frequency"], bundle["counts"], strict=True)
        counts = {name: Counts(*arrays) for name, arrays in pairs}
        names = tuple(steps["module"])
        if names and own is None:
            raise ArtefactCorrupt("the model adds features by code that it does not hold")
        calibration = steps["calibration"]
        return cls(
            FeatureSteps(contract, counts, own if names else None, names),
            Calibration.from_dict(calibration) if calibration else None,
        )
