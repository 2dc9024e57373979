"""The names and types of a model's columns, as MLflow writes them down."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightmodel.contract.columns import Column, ColumnType, Contract, Role

if TYPE_CHECKING:  # MLflow takes seconds to import
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, DataType


def signature_of(manifest: Mapping[str, Any]) -> "ModelSignature":
    """Return the signature of the model that a manifest describes.

    Inputs have the types that pandas reads from a CSV like the training table, as those of a signature that
    MLflow infers: MLflow's server reads CSV by them, and `predict` refuses a table of other types.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema

    contract = Contract.from_dict(manifest["contract"])
    labels: Sequence[Any] = manifest["task"]["labels"]
    return ModelSignature(
        inputs=Schema(list(_inputs(contract))), outputs=Schema(list(_outputs(contract, labels)))
    )


def as_typed(rows: "pd.DataFrame", signature: "ModelSignature") -> "pd.DataFrame":
    """Return rows with the number types of a signature: whole numbers may be values of a `double`."""
    from mlflow.types.schema import DataType

    numbers = {DataType.double, DataType.long, DataType.boolean}
    types = {one.name: one.type.to_pandas() for one in signature.inputs if one.type in numbers}
    return rows.astype({name: kind for name, kind in types.items() if name in rows})


def _inputs(contract: Contract) -> "Iterator[ColSpec]":
    """Yield the id, which may be left out, and the features: in training order, as all names are given."""
    from mlflow.types.schema import ColSpec

    for column in contract.columns:
        if column.role in {Role.ID, Role.FEATURE}:
            required = column.role is Role.FEATURE
            yield ColSpec(_type_of(column), name=column.name, required=required)


def _type_of(column: Column) -> "DataType":
    """Return the type that pandas reads: an integer column with gaps is one of floats there."""
    from mlflow.types.schema import DataType

    if column.type is ColumnType.NUMBER:
        return DataType.double
    if column.type is ColumnType.INTEGER or _has_integer_categories(column):
        return DataType.double if column.missing else DataType.long
    if column.type is ColumnType.BOOLEAN and not (column.missing or column.format):
        return DataType.boolean
    return DataType.string


def _has_integer_categories(column: Column) -> bool:
    return bool(column.categories) and all(
        text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")
        for text in column.categories
    )


def _outputs(contract: Contract, labels: Sequence[Any]) -> "Iterator[ColSpec]":
    """Yield the columns of an answer: the id if there is one, the prediction, and its probability."""
    from mlflow.types.schema import ColSpec, DataType, Map

    if contract.id:
        kind = DataType.long if contract.id.type is ColumnType.INTEGER else DataType.string
        yield ColSpec(kind, name=contract.id.name, required=False)
    kinds = {str: DataType.string, bool: DataType.boolean, int: DataType.long}
    yield ColSpec(kinds.get(type((labels or [0.0])[0]), DataType.double), name="prediction")
    if labels:
        probability: Any = DataType.double if len(labels) == 2 else Map(DataType.double)
        yield ColSpec(probability, name="probability")
