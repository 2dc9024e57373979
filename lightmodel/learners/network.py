"""A small neural network: its architecture, and scoring with it.

It is trained in float32 and scores in float64, in which two machines agree to the twelfth digit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.config.environment import preset
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.results import Importance
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError

_BATCH_ROWS = 512  # batches are padded to powers of two: JAX compiles once for each size
_BACKEND = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    # Networks this small are slower on several threads, which compete with those of other workers.
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
_ACTIVATIONS = {
    TaskKind.BINARY: "sigmoid",
    TaskKind.MULTICLASS: "softmax",
    TaskKind.REGRESSION: "linear",
}

Weights = list[npt.NDArray[np.float32]]


def load_keras() -> Any:  # noqa: ANN401 — Keras has no types
    """Import Keras with the JAX backend.

    Raises:
        ConfigError: Keras or JAX is not installed.
    """
    preset(_BACKEND)
    try:
        import jax
        import keras
    except ImportError as error:
        raise ConfigError(
            "networks need Keras and JAX, which are not installed",
            hint="pip install -r requirements/neural.txt",
        ) from error
    settings: Any = jax.config
    settings.update("jax_enable_x64", True)  # before any layer is built: it changes random numbers
    return keras


@dataclass(frozen=True)
class Architecture:
    """The architecture of a network.

    Attributes:
        inputs: number of inputs per row, after scaling and encoding.
        outputs: 1, or the number of classes.
        image: height and width if the inputs are the pixels of an image; else empty.
        width: filters of each convolution, or half the units of each hidden layer.
        dropout: dropout rate.
    """

    inputs: int
    outputs: int
    kind: str
    image: tuple[int, ...]
    width: int
    dropout: float

    def build(self, dtype: str) -> Any:  # noqa: ANN401 — Keras has no types
        """Return a Keras model with new random weights."""
        keras = load_keras()
        inputs = value = keras.Input((self.inputs,), dtype=dtype)
        for layer in self._hidden(keras.layers, dtype):
            value = layer(value)
        activation = _ACTIVATIONS[TaskKind(self.kind)]
        value = keras.layers.Dense(self.outputs, activation=activation, dtype=dtype)(value)
        return keras.Model(inputs, value)

    def _hidden(self, layers: Any, dtype: str) -> list[Any]:  # noqa: ANN401 — Keras has no types
        dense = layers.Dense(2 * self.width, activation="relu", dtype=dtype)
        dropout = layers.Dropout(self.dropout, dtype=dtype)
        if not self.image:
            first = layers.Dense(2 * self.width, activation="relu", dtype=dtype)
            return [first, dropout, dense]
        options = {"padding": "same", "activation": "relu", "dtype": dtype}
        return [
            layers.Reshape((*self.image, 1), dtype=dtype),
            layers.Conv2D(self.width, 3, **options),
            layers.Conv2D(self.width, 3, **options),
            layers.MaxPooling2D(2, dtype=dtype),
            layers.Flatten(dtype=dtype),
            dropout,
            dense,
        ]


@dataclass(frozen=True)
class Scaling:
    """Scales features to the inputs of a network, and its output to the target's unit.

    Attributes:
        columns: a fitted scikit-learn transformer; None for pixels, which share one scale.
        centre, spread: mean and standard deviation of the pixels.
        target_centre, target_spread: the same of a regression target.
    """

    columns: Any
    centre: float = 0.0
    spread: float = 1.0
    target_centre: float = 0.0
    target_spread: float = 1.0

    def inputs(self, features: Matrix) -> Matrix:
        """Return (rows, inputs), scaled and without missing values."""
        if self.columns is not None:
            scaled: Matrix = np.ascontiguousarray(self.columns.transform(features))
            return scaled
        pixels: Matrix = (np.nan_to_num(features, nan=self.centre) - self.centre) / self.spread
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class Network:
    """One fitted network."""

    architecture: Architecture
    scaling: Scaling
    weights: Weights

    @cached_property
    def _forward(self) -> Callable[[Matrix], Any]:
        """Return the compiled forward pass; JAX compiles once for each number of rows."""
        model = self.architecture.build("float64")
        model.set_weights(self.weights)
        import jax

        compiled: Callable[[Matrix], Any] = jax.jit(lambda rows: model(rows, training=False))
        return compiled

    def predict(self, features: Matrix) -> Scores:
        """Return the scores of (rows, features): (rows,) or (rows, classes)."""
        inputs = self.scaling.inputs(features)
        parts = [
            self._scores(inputs[start : start + _BATCH_ROWS])
            for start in range(0, max(1, len(inputs)), _BATCH_ROWS)
        ]
        scores: Scores = np.concatenate(parts)
        if self.architecture.outputs > 1:
            return scores
        return scores[:, 0] * self.scaling.target_spread + self.scaling.target_centre

    def _scores(self, inputs: Matrix) -> Scores:
        rows = len(inputs)
        padded = np.zeros((1 << max(0, rows - 1).bit_length(), inputs.shape[1]))
        padded[:rows] = inputs
        return np.asarray(self._forward(padded), dtype=np.float64)[:rows]


@dataclass(frozen=True)
class NeuralModel:
    """One network, or several whose scores are averaged."""

    networks: Sequence[Network]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "NeuralModel":
        """Restore a model from its payload."""
        networks = [
            Network(Architecture(**one["architecture"]), Scaling(**one["scaling"]), one["weights"])
            for one in payload["networks"]
        ]
        return cls(networks)

    def payload(self) -> dict[str, Any]:
        """Return architectures, scalings and weights; scalings may hold a fitted transformer."""
        networks = [
            {
                "architecture": asdict(one.architecture),
                "scaling": vars(one.scaling),
                "weights": one.weights,
            }
            for one in self.networks
        ]
        return {"networks": networks}

    def predict(self, features: Matrix) -> Scores:
        """Return the mean scores of (rows, features): (rows,) or (rows, classes)."""
        scores: Scores = np.mean([one.predict(features) for one in self.networks], axis=0)
        return scores

    def importance(self) -> tuple[Importance, ...]:
        """Return nothing: a network has no importance of its inputs."""
        return ()
