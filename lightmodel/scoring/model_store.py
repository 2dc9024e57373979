"""Load the approved models of a store, and test them on their sample rows."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson

from lightmodel.config import Config
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.imputation import imputed_values
from lightmodel.contract.publication import published
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError, NotPossible
from lightmodel.learners.base import FittedModel, contribution_function
from lightmodel.learners.factory import load_model
from lightmodel.scoring.predictor import LoadedModel, Predictor, check_samples
from lightmodel.store.canary import served_versions
from lightmodel.store.provenance import imported_packages
from lightmodel.store.user_code import user_code_of, user_features
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Version, models_of
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_readers import CompiledRowReader, RowReader
from lightmodel.tables.row_rules import RowRules
from lightmodel.training.features import Processing

if TYPE_CHECKING:
    from lightmodel.learners.lightgbm import LightGBMModel

logger = logging.getLogger(__name__)
PROFILE = "profile.json"
_Predict = Callable[[Matrix], Scores]


class ModelStoreView:
    """A store as the service uses it: its newest model that is approved and passes its self-test.

    With `serve.canary`, a version that is not promoted yet is only the canary.
    """

    def __init__(self, config: Config) -> None:
        self.folder = config.store.root / "model"
        self._config = config
        self._store = models_of(config)

    def state(self, current: LoadedModel | None) -> frozenset[tuple[str, int, int]]:
        """Return a value that changes when a version is added, removed, or gets another verdict.

        Of a version newer than `current` it changes with any file, or its rights: a version that was
        refused may have become complete or readable.
        """
        try:
            names = self._store.names()
        except ArtefactCorrupt as error:  # `newest` raises it, once
            return frozenset({(error.message, 0, 0)})
        files = set()
        verdicts = (*self.folder.glob("*/verdict.json"), *self.folder.glob("*/manifest.json"))
        newer = [name for name in names if not current or name > current.version]
        others = (path for name in newer for path in (self.folder / name).rglob("*"))
        for path in (*verdicts, *others):
            try:
                status = path.stat()
            except OSError:
                continue  # it was removed in the meantime
            files.add((str(path), status.st_ctime_ns, status.st_ino))
        return frozenset(files)

    def newest(self, current: LoadedModel | None) -> LoadedModel:
        """Load and return the approved model that answers; return `current` if that is still the one.

        Raises:
            LightModelError: no approved model can be served; the error is that of the newest one.
        """
        refused: dict[str, LightModelError] = {}
        while True:
            try:
                version = served_versions(self._store, self._config.serve.canary, refused).stable
            except ArtefactMissing as none_left:
                raise next(iter(refused.values()), none_left) from None
            if current and version.name == current.version:
                return current
            try:
                return open_version(version, self._config)
            except LightModelError as error:
                self._store.warn_once(version.name, error)
                refused[version.name] = error

    def canary(self, served: LoadedModel) -> Version | None:
        """Return the version that answers a share of the ids; None if there is none.

        Raises:
            LightModelError: the store cannot be read.
        """
        canary = served_versions(self._store, self._config.serve.canary).canary
        return canary if canary and canary.name > served.version else None

    def challenger(self, served: LoadedModel) -> Version | None:
        """Return the verified version that `serve.shadow` names; None if there is none.

        Raises:
            ArtefactMissing: there is no version of this name.
            ArtefactCorrupt: it is damaged, or its signature is wrong.
        """
        wanted = self._config.serve.shadow
        if wanted != "challenger":
            version = self._store.get(wanted)
            self._store.verify(version)
            return version if version.name != served.version else None
        for version in self._store.newest_first():
            if version.name <= served.version:
                break
            verdict = read_verdict(version, self._store.signer)
            if verdict is None or not (verdict.passed or verdict.is_withdrawn):
                self._store.verify(version)
                return version
        return None

    def open(self, version: Version) -> LoadedModel:
        """Load a verified version, and test it on its sample rows; see `open_version`."""
        return open_version(version, self._config)

    def is_withdrawn(self, name: str) -> bool:
        """Return whether an intact model version has a verdict that rejects it."""
        try:
            verdict = read_verdict(self._store.get(name), self._store.signer)
        except LightModelError:
            return False
        return verdict is not None and not verdict.passed


def open_version(version: Version, config: Config | None = None) -> LoadedModel:
    """Load a model and test it on its sample rows; `config` is that of the service.

    Raises:
        ArtefactCorrupt: a file does not match the manifest, or the sample rows get other scores.
        ArtefactMissing: a library that the model needs is not installed.
    """
    manifest, config = version.manifest, config or Config()
    contract, tolerated = Contract.from_dict(manifest.contract or {}), config.serve.tolerated
    steps = _steps(version, contract)
    rules = RowRules(contract, steps.texts, tolerated=tolerated, with_others=steps.takes_table)
    profile = profile_of(version)
    shown, imputed = published(contract, profile), imputed_values(contract, profile)
    for predict, contribute, row_reader in _backends(version):
        predictor = Predictor(
            version.name,
            contract,
            manifest.threshold,
            steps.wrap(predict),
            steps.wrap(contribute, calibrated=False) if contribute else None,
            steps.feature_names,
            imputed,
        )
        try:
            _self_test(predictor, rules, manifest.samples)
        except ArtefactCorrupt as error:
            last = error
            logger.warning("%s", error.message)
        else:
            return LoadedModel(
                predictor, rules, row_reader, manifest, shown, version.folder, config
            )
    raise last


def profile_of(version: Version) -> dict[str, Any]:
    """Return `columns` of the profile of a model's training table; empty if its version has none."""
    if PROFILE not in version.manifest.files:
        return {}
    columns: dict[str, Any] = orjson.loads(version.read(PROFILE))["columns"]
    return columns


def serving_runtime(version: Version) -> str:
    """Return the narrowest of `provenance.RUNTIMES` that serves a version on this kind of machine.

    Raises:
        LightModelError: the model cannot be opened.
    """
    needed = str(version.manifest.runtime)
    if needed != "lightgbm":
        return needed
    code = user_code_of(version)
    if code and "lightgbm" in imported_packages(code.source.decode(), code.file):
        return needed
    is_compiled = isinstance(open_version(version).row_reader, CompiledRowReader)
    return "compiled" if is_compiled and _explains_itself(version) else needed


def _explains_itself(version: Version) -> bool:
    """Return whether a compiled model has contributions without LightGBM."""
    from lightmodel.learners.compiled import open_compiled

    return open_compiled(version.read)[0].has_contributions


def _backends(version: Version) -> Iterator[tuple[_Predict, _Predict | None, RowReader]]:
    """Yield the functions for scores and contributions, and the row reader: first the compiled ones."""
    if "compiled.json" in version.manifest.files:
        from lightmodel.learners.compiled import open_compiled
        from lightmodel.learners.compiled.tables import NotCompiledError

        try:
            trees, rows = open_compiled(version.read)
        except NotCompiledError as reason:
            logger.warning("%s: its compiled model is not used: %s", version.name, reason)
        else:
            yield trees.predict, contribution_function(trees) or _by_lightgbm(version), rows
    model = _open_bundle(version)
    from lightmodel.tables.arrow_rows import read_rows  # imports Arrow, which is slow

    yield model.predict, contribution_function(model), read_rows


def _steps(version: Version, contract: Contract) -> Processing:
    """Return the pre- and postprocessing of a model; the bundle is opened only if there is any."""
    if not version.manifest.steps:
        return Processing(contract)
    from lightmodel.store import codec

    return Processing.from_payload(codec.load(version), contract, user_features(version))


def _open_bundle(version: Version) -> FittedModel:
    from lightmodel.store import codec

    bundle = codec.load(version)
    try:
        return load_model(bundle["learner"], bundle["model"], threads=1)
    except ModuleNotFoundError as error:
        runtime = version.manifest.runtime
        raise ArtefactMissing(
            f"{version.name} needs {error.name}, which is not installed here",
            hint=f"pip install -r requirements/serve-{runtime}.txt; "
            f"for an image, docker build --build-arg RUNTIME={runtime} …",
        ) from None


def _by_lightgbm(version: Version) -> _Predict:
    """Return the function for contributions of a model compiled without; its first call loads LightGBM."""
    lock = threading.Lock()

    @cache
    def booster() -> "LightGBMModel":
        try:
            return cast("LightGBMModel", _open_bundle(version))
        except ArtefactMissing as error:
            hint = f"train the model again, or {error.hint}"
            raise NotPossible(f"to explain, {error.message}", hint=hint) from None

    def contribute(features: Matrix) -> Matrix:
        with lock:
            model = booster()
        return model.contributions(features)

    return contribute


def _self_test(predictor: Predictor, rules: RowRules, samples: Sequence[dict[str, Any]]) -> None:
    """Score the manifest's sample rows with the same code that reads requests."""
    block = JsonBlocks(rules, frozenset()).block([sample["values"] for sample in samples])
    check_samples(predictor, block, [sample["score"] for sample in samples])
