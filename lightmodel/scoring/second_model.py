"""A model that is loaded beside the served one: a challenger, or a canary."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from lightmodel.errors import ArtefactMissing, LightModelError
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.versions import Version

logger = logging.getLogger(__name__)


@dataclass
class SecondModel:
    """Loads a second model after each change of the store; no fault of it reaches the served one.

    Attributes:
        role: for messages and metrics, such as "challenger".
        find: returns the verified version for the served model; None if there is none.
        open: loads and tests a version.
        use: receives the second model, None if there is none, and the served one.
        show: receives the role, the version and whether it is loaded, for metrics.
    """

    role: str
    find: Callable[[LoadedModel], Version | None]
    open: Callable[[Version], LoadedModel]
    use: Callable[[LoadedModel | None, LoadedModel], None]
    show: Callable[[str, str, bool], None]
    _model: LoadedModel | None = None

    def refresh(self, served: LoadedModel) -> None:
        """Load the second model for the served one, unless it is loaded."""
        name = ""
        try:
            version = self.find(served)
            if version is not None:
                name = version.name
            model = self._open(version, served) if version else None
        except Exception as error:  # noqa: BLE001 — loading may run a user's code
            logger.warning("no %s: %s", self.role, _message(error))
            model = None
        before, self._model = self._model, model
        if before is not None and before is not model:
            self.show(self.role, before.version, False)
        if name:
            self.show(self.role, name, model is not None)
        if model is not None and model is not before:
            logger.info("%s is the %s of %s", model.version, self.role, served.version)
        self.use(model, served)

    def _open(self, version: Version, served: LoadedModel) -> LoadedModel:
        if self._model is not None and self._model.version == version.name:
            return self._model
        model = self.open(version)
        if served.contract.task.difference(model.contract.task):
            raise ArtefactMissing(
                f"{version.name} predicts other classes or another kind of target than {served.version}"
            )
        return model


def _message(error: Exception) -> str:
    if isinstance(error, LightModelError):
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return f"it cannot be loaded ({type(error).__name__})"
