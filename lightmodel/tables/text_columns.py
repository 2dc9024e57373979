"""Encode the texts of text columns as numbers: their length, and what a model makes of them."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from lightmodel.contract.cells import MISSING, Matrix, canonical
from lightmodel.contract.columns import ColumnType, Contract


class TextEncoder(Protocol):
    """Scores the texts of one column, each by itself; see `training.texts`."""

    @property
    def width(self) -> int:
        """The number of scores of a text."""
        ...

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return the (texts, width) scores."""
        ...


TextEncoders = Mapping[str, TextEncoder]  # by column, in the contract's order
NONE: TextEncoders = MappingProxyType({})  # of a table without texts, or without a model


def matrix_width(contract: Contract, encoders: TextEncoders) -> int:
    """Return the number of columns of a matrix: the features, and then the scores of their texts."""
    return len(contract.features) + sum(one.width for one in encoders.values())


def write_texts(
    matrix: Matrix,
    texts: Mapping[str, Sequence[str | None]],
    contract: Contract,
    encoders: TextEncoders,
    missing: Collection[str] = (),
    none: float = float(MISSING),
) -> None:
    """Write the columns of all text columns into a matrix: their lengths, and behind all features, scores.

    Args:
        matrix: (rows, `matrix_width`), changed in place.
        texts: the stripped texts of each text column; "" is a missing value.
        contract: its decimal mark tells which texts are whole numbers.
        encoders: by column, in the contract's order.
        missing: further texts that mean a missing value.
        none: what stands for a None among the texts.
    """
    end = len(contract.features)
    for place, column in enumerate(contract.features):
        if column.type is ColumnType.TEXT:
            forms = _forms(texts[column.name], contract.decimal, {"", *missing})
            lengths: dict[str | None, float] = {None: none}
            lengths.update((text, float(len(form))) for text, form in forms.items())
            matrix[:, place] = [lengths.get(text, MISSING) for text in texts[column.name]]
            if column.name in encoders:
                start, end = end, end + encoders[column.name].width
                matrix[:, start:end] = _scores(texts[column.name], forms, encoders[column.name])


def _forms(texts: Sequence[str | None], decimal: str, missing: set[str]) -> dict[str, str]:
    """Return the canonical form of each distinct text with a value."""
    distinct = dict.fromkeys(text for text in texts if text is not None and text not in missing)
    return {text: canonical(text, decimal) for text in distinct}


def _scores(texts: Sequence[str | None], forms: Mapping[str, str], encoder: TextEncoder) -> Matrix:
    """Return (texts, width) scores; NaN for a missing text."""
    distinct = list(dict.fromkeys(forms.values()))
    scores = np.vstack([encoder.encode(distinct), np.full((1, encoder.width), MISSING)])
    places = {form: at for at, form in enumerate(distinct)}
    by_text: dict[str | None, int] = {text: places[form] for text, form in forms.items()}
    chosen: Matrix = scores[[by_text.get(text, len(distinct)) for text in texts]]
    return chosen
