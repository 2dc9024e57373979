"""A small network: how it is built, and how it scores.

It is trained in float32 and scores in float64: there, two machines agree to the twelfth digit.
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

_MOST_ROWS = 512  # scored at once; a compiled program for each power of two up to here
_BACKEND = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    # Networks this small are slower on several threads, and those of other workers are in the way.
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
_OUTPUTS = {
    TaskKind.BINARY: "sigmoid",
    TaskKind.MULTICLASS: "softmax",
    TaskKind.REGRESSION: "linear",
}

Weights = list[npt.NDArray[np.float32]]


def load_keras() -> Any:  # noqa: ANN401 — Keras has no types
    """Import Keras on JAX.

    Raises:
        ConfigError: it is not installed.
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
    settings.update("jax_enable_x64", True)  # before anything is built: it changes random numbers
    return keras


@dataclass(frozen=True)
class Architecture:
    """The shape of a network.

    Attributes:
        inputs: numbers of a row, after scaling.
        outputs: 1, or the number of classes.
        image: height and width, where the inputs are the pixels of a picture; else empty.
        width: filters of each convolution, or half the units of each hidden layer.
        dropout: share of the last hidden units that a training step leaves out.
    """

    inputs: int
    outputs: int
    kind: str
    image: tuple[int, ...]
    width: int
    dropout: float

    def build(self, dtype: str) -> Any:  # noqa: ANN401 — Keras has no types
        """Build it, with new random weights."""
        keras = load_keras()
        entry = value = keras.Input((self.inputs,), dtype=dtype)
        for layer in self._hidden(keras.layers, dtype):
            value = layer(value)
        activation = _OUTPUTS[TaskKind(self.kind)]
        value = keras.layers.Dense(self.outputs, activation=activation, dtype=dtype)(value)
        return keras.Model(entry, value)

    def _hidden(self, layers: Any, dtype: str) -> list[Any]:  # noqa: ANN401 — Keras has no types
        dense = layers.Dense(2 * self.width, activation="relu", dtype=dtype)
        dropped = layers.Dropout(self.dropout, dtype=dtype)
        if not self.image:
            first = layers.Dense(2 * self.width, activation="relu", dtype=dtype)
            return [first, dropped, dense]
        options = {"padding": "same", "activation": "relu", "dtype": dtype}
        return [
            layers.Reshape((*self.image, 1), dtype=dtype),
            layers.Conv2D(self.width, 3, **options),
            layers.Conv2D(self.width, 3, **options),
            layers.MaxPooling2D(2, dtype=dtype),
            layers.Flatten(dtype=dtype),
            dropped,
            dense,
        ]


@dataclass(frozen=True)
class Scaling:
    """From features to what the network reads, and from its number to the target's scale.

    Attributes:
        columns: a fitted transformer of scikit-learn; None: pixels, which share one scale.
        centre, spread: of the pixels.
        target_centre, target_spread: of a regression's target.
    """

    columns: Any
    centre: float = 0.0
    spread: float = 1.0
    target_centre: float = 0.0
    target_spread: float = 1.0

    def inputs(self, features: Matrix) -> Matrix:
        """Return (rows, inputs) without missing values."""
        if self.columns is not None:
            scaled: Matrix = np.ascontiguousarray(self.columns.transform(features))
            return scaled
        pixels: Matrix = (np.nan_to_num(features, nan=self.centre) - self.centre) / self.spread
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class Network:
    """One trained network."""

    architecture: Architecture
    scaling: Scaling
    weights: Weights

    @cached_property
    def _run(self) -> Callable[[Matrix], Any]:
        """Return the compiled network; JAX compiles once for each number of rows."""
        built = self.architecture.build("float64")
        built.set_weights(self.weights)
        import jax

        compiled: Callable[[Matrix], Any] = jax.jit(lambda rows: built(rows, training=False))
        return compiled

    def predict(self, features: Matrix) -> Scores:
        """Score rows: (rows,), or (rows, classes)."""
        inputs = self.scaling.inputs(features)
        parts = [
            self._scores(inputs[start : start + _MOST_ROWS])
            for start in range(0, max(1, len(inputs)), _MOST_ROWS)
        ]
        scores: Scores = np.concatenate(parts)
        if self.architecture.outputs > 1:
            return scores
        return scores[:, 0] * self.scaling.target_spread + self.scaling.target_centre

    def _scores(self, inputs: Matrix) -> Scores:
        rows = len(inputs)
        padded = np.zeros((1 << max(0, rows - 1).bit_length(), inputs.shape[1]))
        padded[:rows] = inputs
        return np.asarray(self._run(padded), dtype=np.float64)[:rows]


@dataclass(frozen=True)
class NeuralModel:
    """One network, or several that are averaged."""

    networks: Sequence[Network]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "NeuralModel":
        """Build a model from what `payload` gave."""
        networks = [
            Network(Architecture(**one["architecture"]), Scaling(**one["scaling"]), one["weights"])
            for one in payload["networks"]
        ]
        return cls(networks)

    def payload(self) -> dict[str, Any]:
        """Return shapes, scales and weights: plain values, and what scikit-learn fitted."""
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
        """Score rows."""
        scores: Scores = np.mean([one.predict(features) for one in self.networks], axis=0)
        return scores

    def importance(self) -> tuple[Importance, ...]:
        """Return nothing: a network does not say what its inputs contribute."""
        return ()
