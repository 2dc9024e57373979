"""Small networks by Keras: convolutions for pictures in columns, dense layers for other tables."""

from collections.abc import Iterator, Mapping, Sequence
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
from lightmodel.learners.sklearn import columns_transformer

WIDEST, LONGEST = 256, 400
_GROWTHS = 4  # doublings of the width and of the epochs, together
_LOSSES = {
    TaskKind.BINARY: "binary_crossentropy",
    TaskKind.MULTICLASS: "sparse_categorical_crossentropy",
    TaskKind.REGRESSION: "mean_squared_error",
}


class NeuralParameters(BaseModel):
    """What `train.parameters` may say of a network.

    Attributes:
        image: height and width of the picture that the features are, row by row.
        width: filters of each convolution, or half the units of each hidden layer.
        epochs: the most passes over the training rows.
        patience: passes without a better loss on the rows held out, before a fold stops.
        batch: rows of a step.
        learning_rate: of Adam.
        dropout: share of the last hidden units that a step leaves out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: tuple[int, int] | None = None
    width: int = Field(16, ge=1, le=WIDEST)
    epochs: int = Field(30, ge=1, le=LONGEST)
    patience: int = Field(8, ge=1)
    batch: int = Field(64, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    dropout: float = Field(0.3, ge=0, lt=1)


def larger(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield `train.parameters` of wider or longer trained networks, the nearest first, within bounds.

    Raises:
        ConfigError: they do not suit a network.
    """
    start = read_parameters(given)
    sizes = {(start.width, start.epochs)}
    for growth in range(1, _GROWTHS + 1):
        for doubled in range(growth + 1):
            width = min(start.width << (growth - doubled), WIDEST)
            epochs = min(start.epochs << doubled, LONGEST)
            if (width, epochs) not in sizes:
                sizes.add((width, epochs))
                yield {**given, "width": width, "epochs": epochs}


def read_parameters(given: Mapping[str, Any]) -> NeuralParameters:
    """Check `train.parameters`.

    Raises:
        ConfigError: one is unknown or out of its range.
    """
    try:
        return NeuralParameters.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"train.parameters.{where} does not suit a network: {first['msg']}",
            hint=f"known are {', '.join(NeuralParameters.model_fields)}",
        ) from error


class NeuralLearner:
    """Fits a network to each fold, one after the other."""

    name = "neural"
    folds_at_once = 1

    def __init__(self, parameters: Mapping[str, Any], seed: int) -> None:
        """Check the parameters, as `read_parameters` does."""
        self._parameters = read_parameters(parameters)
        self._seed = seed

    def prepare(self, data: TrainingData) -> "NeuralTrainer":
        """Check that the table suits the network.

        Raises:
            ConfigError: it holds no picture of that size.
        """
        image = self._parameters.image
        if image and (image[0] * image[1] != len(data.names) or data.categorical):
            raise ConfigError(
                f"train.parameters.image = {list(image)} takes {image[0] * image[1]} numeric features, "
                f"and there are {len(data.names)}",
                hint="leave `image` out, or name the other columns in data.ignore",
            )
        if image and min(image) < 2:
            raise ConfigError("train.parameters.image needs a height and width of 2 at least")
        return NeuralTrainer(data, self._parameters, self._seed)


@dataclass
class NeuralTrainer:
    """One table, and the parameters in force."""

    data: TrainingData
    parameters: NeuralParameters
    seed: int
    given_up: bool = False

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in force."""
        return {"estimator": "neural", "seed": self.seed, **self.parameters.model_dump(mode="json")}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Pass over the rows `train` until the loss on `held_out` no longer falls; keep the best."""
        network, curve, train_curve = self._fit(train, self.parameters.epochs, held_out)
        rounds = min(curve, key=lambda point: point[1])[0]
        model = NeuralModel([network])
        scores = model.predict(self.data.features[held_out])
        return FoldFit(scores, int(rounds), curve, model.payload(), train_curve)

    def stop(self) -> None:
        """Let the fold under way end after its epoch."""
        self.given_up = True

    def refit(self, folds: Sequence[FoldFit]) -> NeuralModel:
        """Fit on all rows, for as many epochs as the folds took."""
        epochs = round(np.mean([fold.rounds for fold in folds]))
        network, _, _ = self._fit(np.arange(len(self.data.target)), epochs)
        return NeuralModel([network])

    def ensemble(self, folds: Sequence[FoldFit]) -> NeuralModel:
        """Average the folds' networks."""
        networks = [one for fold in folds for one in NeuralModel.from_payload(fold.model).networks]
        return NeuralModel(networks)

    def _fit(
        self, rows: Codes, epochs: int, held_out: Codes | None = None
    ) -> tuple[Network, tuple[Point, ...], tuple[Point, ...]]:
        keras = load_keras()
        keras.utils.set_random_seed(self.seed)
        scaling = self._scaling(rows)
        architecture = self._architecture(scaling)
        built = architecture.build("float32")
        optimizer = keras.optimizers.Adam(self.parameters.learning_rate)
        built.compile(optimizer=optimizer, loss=_LOSSES[self.data.kind])
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=self._leave_if_given_up(built))]
        if held_out is not None:
            patience = self.parameters.patience
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_loss", patience=patience, restore_best_weights=True
                )
            )
        history = built.fit(
            *self._examples(rows, scaling),
            batch_size=self.parameters.batch,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
            validation_data=None if held_out is None else self._examples(held_out, scaling),
        )
        network = Network(architecture, scaling, built.get_weights())
        losses = history.history
        return network, _points(losses.get("val_loss", [])), _points(losses["loss"])

    def _leave_if_given_up(self, built: Any) -> Any:  # noqa: ANN401 — Keras has no types
        def leave(*_: object) -> None:
            built.stop_training = built.stop_training or self.given_up

        return leave

    def _examples(self, rows: Codes, scaling: Scaling) -> tuple[Any, Any]:
        inputs = scaling.inputs(self.data.features[rows]).astype(np.float32)
        target: Vector = self.data.target[rows]
        if self.data.kind is not TaskKind.REGRESSION:
            return inputs, target.astype(np.int32)
        scaled = (target - scaling.target_centre) / scaling.target_spread
        return inputs, scaled.astype(np.float32)

    def _architecture(self, scaling: Scaling) -> Architecture:
        inputs = scaling.inputs(self.data.features[:1]).shape[1]
        outputs = self.data.classes if self.data.kind is TaskKind.MULTICLASS else 1
        given = self.parameters
        kind, image = str(self.data.kind), given.image or ()
        return Architecture(inputs, outputs, kind, image, given.width, given.dropout)

    def _scaling(self, rows: Codes) -> Scaling:
        features = self.data.features[rows]
        if self.parameters.image:
            spread = float(np.nanstd(features)) or 1.0
            scaling = Scaling(None, float(np.nanmean(features)), spread)
        else:
            scaling = Scaling(columns_transformer(self.data).fit(features))
        if self.data.kind is not TaskKind.REGRESSION:
            return scaling
        target = self.data.target[rows]
        centre, spread = float(target.mean()), float(target.std()) or 1.0
        return replace(scaling, target_centre=centre, target_spread=spread)


def _points(losses: Sequence[float]) -> tuple[Point, ...]:
    return tuple((float(epoch), float(loss)) for epoch, loss in enumerate(losses, 1))
