"""Finished folds on disk, so that an interrupted training resumes where it was."""

import hashlib
import logging
import shutil
from pathlib import Path

from lightmodel.contract.results import FoldFit
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.files import write_atomic
from lightmodel.store import codec

logger = logging.getLogger(__name__)

_DIGEST_BYTES = 32


class FoldCheckpoints:
    """One file for each fold: a sha256, and then the pickled fold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, fold: int) -> FoldFit | None:
        """Return a finished fold; half a file, or a damaged one, is none."""
        try:
            data = self._path(fold).read_bytes()
        except OSError:
            return None
        digest, pickled = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(pickled).digest() != digest:
            return None
        try:
            fold_data = codec.unpickle(pickled, self._path(fold).name)
        except ArtefactCorrupt:
            return None
        logger.info("fold %d was finished before", fold + 1)
        curve, train_curve = (
            tuple((rounds, loss) for rounds, loss in fold_data.get(name, ()))
            for name in ("curve", "train_curve")
        )
        return FoldFit(
            fold_data["scores"], fold_data["rounds"], curve, fold_data["model"], train_curve
        )

    def save(self, fold: int, fit: FoldFit) -> None:
        """Keep a finished fold; a failure costs the resumption and no more."""
        pickled = codec.dump(
            {
                "format": 1,
                "scores": fit.scores,
                "rounds": fit.rounds,
                "curve": fit.curve,
                "model": fit.model,
                "train_curve": fit.train_curve,
            }
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(fold), hashlib.sha256(pickled).digest() + pickled)
        except (LightModelError, OSError) as error:
            logger.warning("fold %d cannot be kept for a later run: %s", fold + 1, error)

    def clear(self) -> None:
        """Remove all folds."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, fold: int) -> Path:
        return self._folder / f"fold-{fold:03d}.bin"
