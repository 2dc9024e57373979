"""Small Keras networks: convolutions for images in columns, dense layers for other tables."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lightmodel.contract.cells import Codes, Vector
from lightmodel.contract.results import FoldFit, Point
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.learners.network import Architecture, Network, NeuralModel, Scaling, load_keras
from lightmodel.learners.sklearn import column_transformer

MAX_WIDTH, MAX_EPOCHS = 256, 400
_MAX_DOUBLINGS = 4  # of the width and of the epochs, together
_LOSSES = {
    TaskKind.BINARY: "binary_crossentropy",
    TaskKind.MULTICLASS: "sparse_categorical_crossentropy",
    TaskKind.REGRESSION: "mean_squared_error",
}


class NeuralParameters(BaseModel):
    """The `train.parameters` of a network.

    Attributes:
        image: height and width of the image whose pixels are the features, row by row.
        width: filters of each convolution, or half the units of each hidden layer.
        epochs: maximum number of epochs.
        patience: epochs without a better held-out loss after which a fold stops.
        batch: rows per training step.
        learning_rate: learning rate of Adam.
        dropout: dropout rate.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: tuple[int, int] | None = None
    width: int = Field(16, ge=1, le=MAX_WIDTH)
    epochs: int = Field(30, ge=1, le=MAX_EPOCHS)
    patience: int = Field(8, ge=1)
    batch: int = Field(64, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    dropout: float = Field(0.3, ge=0, lt=1)


def larger_networks(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield `train.parameters` with a larger width or more epochs, the smallest change first.

    Raises:
        ConfigError: `given` is not valid for a network.
    """
    start = read_parameters(given)
    sizes = {(start.width, start.epochs)}
    for doublings in range(1, _MAX_DOUBLINGS + 1):
        for of_epochs in range(doublings + 1):
            width = min(start.width << (doublings - of_epochs), MAX_WIDTH)
            epochs = min(start.epochs << of_epochs, MAX_EPOCHS)
            if (width, epochs) not in sizes:
                sizes.add((width, epochs))
                yield {**given, "width": width, "epochs": epochs}


def read_parameters(given: Mapping[str, Any]) -> NeuralParameters:
    """Validate `train.parameters`.

    Raises:
        ConfigError: a parameter is unknown or out of its range.
    """
    try:
        return NeuralParameters.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"train.parameters.{where} is not valid for a network: {first['msg']}",
            hint=f"known parameters: {', '.join(NeuralParameters.model_fields)}",
        ) from error


class NeuralLearner:
    """Fits one network per fold, one after the other."""

    name = "neural"
    parallel_folds = 1

    def __init__(self, parameters: Mapping[str, Any], seed: int) -> None:
        """Validate the parameters, as `read_parameters` does."""
        self._parameters = read_parameters(parameters)
        self._seed = seed

    def prepare(self, data: TrainingData) -> "NeuralTrainer":
        """Check that the table suits the network.

        Raises:
            ConfigError: its features are not the pixels of an image of that size.
        """
        image = self._parameters.image
        if image and (image[0] * image[1] != len(data.names) or data.categorical):
            raise ConfigError(
                f"train.parameters.image = {list(image)} needs {image[0] * image[1]} numeric features, "
                f"but the table has {len(data.names)} features",
                hint="remove `image`, or list the other columns in data.ignore",
            )
        if image and min(image) < 2:
            raise ConfigError("train.parameters.image needs a height and a width of at least 2")
        return NeuralTrainer(data, self._parameters, self._seed)


@dataclass
class NeuralTrainer:
    """One table and the parameters in effect."""

    data: TrainingData
    parameters: NeuralParameters
    seed: int
    cancelled: bool = False

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in effect."""
        return {"estimator": "neural", "seed": self.seed, **self.parameters.model_dump(mode="json")}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit on the rows `train` until the held-out loss stops falling; keep the best epoch's weights."""
        network, curve, train_curve = self._fit(train, self.parameters.epochs, held_out)
        rounds = min(curve, key=lambda point: point[1])[0]
        model = NeuralModel([network])
        scores = model.predict(self.data.features[held_out])
        return FoldFit(scores, int(rounds), curve, model.payload(), train_curve)

    def stop(self) -> None:
        """Stop the fold that is being fitted after its current epoch."""
        self.cancelled = True

    def refit(self, folds: Sequence[FoldFit]) -> NeuralModel:
        """Fit one network on all rows, for the mean number of epochs of the folds."""
        epochs = round(np.mean([fold.rounds for fold in folds]))
        network, _, _ = self._fit(np.arange(len(self.data.target)), epochs)
        return NeuralModel([network])

    def ensemble(self, folds: Sequence[FoldFit]) -> NeuralModel:
        """Combine the networks of the folds; their scores are averaged."""
        networks = [one for fold in folds for one in NeuralModel.from_payload(fold.model).networks]
        return NeuralModel(networks)

    def _fit(
        self, rows: Codes, epochs: int, held_out: Codes | None = None
    ) -> tuple[Network, tuple[Point, ...], tuple[Point, ...]]:
        keras = load_keras()
        _share_compilations()
        keras.utils.set_random_seed(self.seed)
        scaling = self._scaling(rows)
        architecture = self._architecture(scaling)
        model = architecture.build("float32")
        optimizer = keras.optimizers.Adam(self.parameters.learning_rate)
        model.compile(optimizer=optimizer, loss=_LOSSES[self.data.kind])
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=self._stop_if_cancelled(model))]
        if held_out is not None:
            patience = self.parameters.patience
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_loss", patience=patience, restore_best_weights=True
                )
            )
        inputs, target, weights = self._examples(rows, scaling)
        history = model.fit(
            inputs,
            target,
            sample_weight=weights,
            batch_size=self.parameters.batch,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
            validation_data=None if held_out is None else self._examples(held_out, scaling),
        )
        if self.cancelled:
            raise CancelledError  # or a network that is half trained would be kept as a finished fold
        network = Network(architecture, scaling, model.get_weights())
        losses = history.history
        return network, _points(losses.get("val_loss", [])), _points(losses["loss"])

    def _stop_if_cancelled(self, model: Any) -> Any:  # noqa: ANN401 — Keras has no types
        def on_epoch_end(*_: object) -> None:
            model.stop_training = model.stop_training or self.cancelled

        return on_epoch_end

    def _examples(self, rows: Codes, scaling: Scaling) -> tuple[Any, Any, Any]:
        """Return inputs, targets, and the weights of the rows; None if all count the same."""
        inputs = scaling.inputs(self.data.features[rows]).astype(np.float32)
        target: Vector = self.data.target[rows]
        weights = self.data.fit_weights
        weighted = None if weights is None else weights[rows].astype(np.float32)
        if self.data.kind is not TaskKind.REGRESSION:
            return inputs, target.astype(np.int32), weighted
        scaled = (target - scaling.target_centre) / scaling.target_spread
        return inputs, scaled.astype(np.float32), weighted

    def _architecture(self, scaling: Scaling) -> Architecture:
        inputs = scaling.inputs(self.data.features[:1]).shape[1]
        outputs = self.data.classes if self.data.kind is TaskKind.MULTICLASS else 1
        parameters, kind = self.parameters, str(self.data.kind)
        image = parameters.image or ()
        return Architecture(inputs, outputs, kind, image, parameters.width, parameters.dropout)

    def _scaling(self, rows: Codes) -> Scaling:
        features = self.data.features[rows]
        if self.parameters.image:
            spread = float(np.nanstd(features)) or 1.0
            scaling = Scaling(None, float(np.nanmean(features)), spread)
        else:
            scaling = Scaling(column_transformer(self.data).fit(features))
        if self.data.kind is not TaskKind.REGRESSION:
            return scaling
        target = self.data.target[rows]
        centre, spread = float(target.mean()), float(target.std()) or 1.0
        return replace(scaling, target_centre=centre, target_spread=spread)


@functools.cache
def _share_compilations() -> None:
    """Compile the same network once in this process, though each fold builds one of its own.

    Compiling takes longer than fitting a small table. In memory, JAX knows functions again, of which each
    network has new ones; in a folder, it knows programs again. Other users cannot write into this folder.
    """
    import jax

    settings: Any = jax.config
    if settings.jax_compilation_cache_dir is None:
        folder = tempfile.mkdtemp(prefix="light-model-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        settings.update("jax_compilation_cache_dir", folder)
        settings.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _points(losses: Sequence[float]) -> tuple[Point, ...]:
    return tuple((float(epoch), float(loss)) for epoch, loss in enumerate(losses, 1))
