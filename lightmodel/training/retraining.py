"""The contract of the approved model, as a grown table must satisfy it."""

from collections.abc import Container
from dataclasses import replace

from lightmodel.contract.columns import Column, Contract, Role


def contract_in_force(
    accepted: Contract,
    inferred: Contract,
    decided: Container[str],
    aside: Container[str] = (),
) -> tuple[Contract, tuple[str, ...]]:
    """Return the approved model's contract with the ranges of the next table, and warnings of them.

    Args:
        accepted: of the approved model.
        inferred: of the next table.
        decided: columns whose role the settings decide: they are as in the next table.
        aside: those by which the table is split or its rows are weighed: they may be new.
    """
    seen = {column.name: column for column in inferred.columns}
    columns, warnings = [], []
    for column in accepted.columns:
        now = seen.get(column.name)
        if now and column.name in decided and column.role is not Role.TARGET:
            columns.append(now)
            continue
        wider = _with_range_of(column, now)
        columns.append(wider)
        if wider is not column:
            warnings.append(_range_warning(column, wider))
    known = {column.name for column in columns}
    columns += [one for one in inferred.columns if one.name in aside and one.name not in known]
    return replace(accepted, columns=tuple(columns)), tuple(warnings)


def _with_range_of(column: Column, now: Column | None) -> Column:
    """Return a feature with a range that holds the next table's numbers, itself if its own does."""
    if now is None or column.role is not Role.FEATURE or not column.type.is_numeric:
        return column
    if now.minimum is None or now.maximum is None:
        return column
    if column.minimum is None or column.maximum is None:  # so anything is allowed
        return column
    low, high = column.allowed
    if low <= now.minimum and now.maximum <= high:
        return column
    return replace(
        column,
        minimum=min(column.minimum, now.minimum),
        maximum=max(column.maximum, now.maximum),
    )


def _range_warning(column: Column, wider: Column) -> str:
    return (
        f"column {column.name!r}: values reach from {wider.minimum:.10g} to {wider.maximum:.10g}, far "
        f"beyond the {column.minimum:.10g} to {column.maximum:.10g} of the approved model; the "
        "contract is widened"
    )
