"""The sections `data` and `split` of `config.toml`: the table, and which of its rows test a model.

The description of each field is its entry in docs/config.md.
"""

from typing import Annotated, Literal
from unicodedata import normalize

from pydantic import AfterValidator, BeforeValidator, Field

from lightmodel.config.base import Section


def _column(name: str) -> str:
    """Normalise a column's name as tables do; see `contract.cells.normalize_name`."""
    return normalize("NFC", name.strip())


Column = Annotated[str, AfterValidator(_column)]
# what spreadsheets write where a formula has no value: Excel's, and Google's #ERROR!
FORMULA_ERRORS = (
    *("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A"),
    *("#SPILL!", "#CALC!", "#FIELD!", "#ERROR!"),
)


def _target(name: str) -> str:
    if not _column(name):
        raise ValueError("it must not be empty")
    return _column(name)


def _split_method(value: str) -> str:
    kind, colon, column = value.partition(":")
    column = _column(column)
    plain = kind in {"auto", "stratified", "random"} and not column
    if plain or (kind in {"time", "group"} and column):
        return kind + colon + column
    raise ValueError("allowed are auto, stratified, random, time:<column> and group:<column>")


def _sha256(value: str) -> str:
    if value and (len(value) != 64 or set(value.lower()) - set("0123456789abcdef")):
        raise ValueError("a sha256 has 64 hexadecimal digits")
    return value.lower()


def _sheet(value: object) -> object:
    return str(value) if type(value) is int else value


class DataSection(Section):
    """Where the table comes from and how to read it."""

    source: str = Field(
        "sample://santander?rows=20000",
        min_length=1,
        description="Where the table is: a path or glob, https://, gdrive://<id> or any Drive link, "
        "s3:// or az:// (also a glob, or a folder ending with a slash), "
        "sklearn://breast_cancer|wine|diabetes|digits, sample://santander?rows=…&seed=….",
    )
    mirrors: tuple[str, ...] = Field(
        (),
        description="Other sources of the same table, tried in this order when data.source fails.",
    )
    sha256: Annotated[str, AfterValidator(_sha256)] = Field(
        "",
        description="Expected SHA-256 of the downloaded file, in hexadecimal; empty: the hash is not "
        "checked.",
    )
    refresh: Literal["always", "changed", "never"] = Field(
        "changed",
        description="When a table is downloaded again: at every run (always), when the source reports "
        "a change (changed), or never.",
    )
    timeout_s: float = Field(
        30.0, gt=0, description="Seconds without data after which a download is retried."
    )
    retries: int = Field(
        4,
        ge=0,
        le=20,
        description="Number of retries for each source, with growing pauses between them.",
    )
    target: Annotated[str, AfterValidator(_target)] = Field(
        "target", min_length=1, description="Name of the column to predict."
    )
    id: Column = Field(
        "auto",
        description="Name of the column that identifies a row; auto: detected by its name, or by its "
        "values; empty: no column does.",
    )
    ignore: tuple[Column, ...] = Field(
        (), description='Columns that are not features, such as ["comment"].'
    )
    keep: tuple[Column, ...] = Field(
        (),
        description='Columns that are features although they seem to identify the rows, such as ["lot"].',
    )
    text: tuple[Column, ...] = Field(
        (),
        description='Columns of free text, such as ["comment"], which are scored by their words and '
        "n-grams. Others are found: sentences, names, and categories of so many values that each has few "
        "rows.",
    )
    columns: tuple[Column, ...] = Field(
        (), description="Names of the columns, for a file without a header."
    )
    header: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether the first line holds the names of the columns; auto: detected."
    )
    skip_rows: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="Number of lines of a CSV, or rows of an Excel sheet, above the header; auto: title "
        "rows, Excel's sep= line and a row of units below the header are detected; 0: none of them.",
    )
    sheet: Annotated[str, BeforeValidator(_sheet)] = Field(
        "auto",
        min_length=1,
        description="Sheet of an Excel file, by its name or its number from 1; auto: the first visible "
        "one that is not empty.",
    )
    delimiter: str = Field(
        "auto", description='Separator between the cells of a CSV, such as ";"; auto: detected.'
    )
    decimal: Literal["auto", ".", ","] = Field(
        "auto", description="Decimal mark of a CSV; auto: detected."
    )
    dates: Literal["auto", "day_first", "month_first"] = Field(
        "auto",
        description="Order of day and month in dates such as 03/04/2024, where no row of the table tells; "
        "auto: stop and ask.",
    )
    encoding: str = Field(
        "auto",
        description="Encoding of a CSV, such as latin-1; auto: UTF-8, UTF-16 and Windows-1252 are "
        "detected.",
    )
    na_values: tuple[str, ...] = Field(
        ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "#N/A"),
        description="Texts of a cell that mean a missing value; the errors of spreadsheets, such as "
        "#DIV/0!, always do.",
    )
    feedback: bool = Field(
        False,
        description="Whether labelled rows of the prediction log are further training rows; their features "
        "must be logged (log.features).",
    )
    format: Literal["csv", "parquet"] = Field(
        "csv", description="File format of a split's training and test tables."
    )
    contract: Literal["keep", "new"] = Field(
        "keep",
        description="keep: the table must satisfy the data contract of the newest approved model; new: "
        "a changed schema is accepted.",
    )
    unlabelled: Literal["stop", "drop"] = Field(
        "stop",
        description="What happens to rows without a target: stop the chain, or drop them.",
    )
    rare_classes: Literal["stop", "drop", "merge"] = Field(
        "stop",
        description="What happens to a class of a single row: stop the chain; drop the row; or merge it "
        "into the class `other` (texts) or the nearest label (numbers).",
    )
    max_drift: float | None = Field(
        None,
        ge=0,
        description="Largest drift of a column from the last accepted table (KS statistic for numbers, "
        "PSI for categories), such as 0.2; more stops the chain. Not set: drift is only reported.",
    )

    @property
    def missing_texts(self) -> tuple[str, ...]:
        """All texts of a cell that mean a missing value, "" first."""
        return tuple(dict.fromkeys(("", *self.na_values, *FORMULA_ERRORS)))


class SplitSection(Section):
    """How the test rows are chosen."""

    method: Annotated[str, AfterValidator(_split_method)] = Field(
        "auto",
        description="How test rows are chosen: stratified, random, time:<column> (the last rows), "
        "group:<column> (whole groups); auto: stratified for classes, random for "
        "numbers.",
    )
    test_share: float = Field(
        0.3, gt=0, lt=1, description="Share of the rows that are kept for testing."
    )
    seed: int = Field(
        0, ge=0, description="Seed of the split: another seed chooses other test rows."
    )
