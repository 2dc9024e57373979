"""How answers are written into a file: as CSV, JSON Lines or Parquet, by the ending of its name.

Each piece of the input is encoded by itself, and the bytes of all pieces stand one after the other: that
can go on where it was interrupted. `finish` makes the file of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol

from lightmodel.errors import ConfigError
from lightmodel.files import OTHER_FILE, atomic_path
from lightmodel.scoring.answer_writers import csv_answers, csv_lines, flat_columns, json_lines
from lightmodel.scoring.predictor import Answers

if TYPE_CHECKING:  # Arrow is slow to import
    import pyarrow as pa

_GROUP_ROWS = 1 << 17


class AnswerFormat(Protocol):
    """Encodes answers."""

    def header(self, answers: Answers) -> bytes:
        """Return what stands before all answers; of `answers` only the columns matter."""
        ...

    def encode(self, answers: Answers) -> bytes:
        """Return the bytes of some answers."""
        ...

    def finish(self, encoded: Path) -> Path:
        """Return the complete file, made of all encoded answers: a new one beside them, or the same."""
        ...


class CsvAnswers:
    """The CSV of `POST /predict`."""

    def header(self, answers: Answers) -> bytes:
        """Return the names of the columns."""
        return csv_lines([[name for name, _ in flat_columns(answers)]])

    def encode(self, answers: Answers) -> bytes:
        """Return the rows."""
        return csv_answers(answers)

    def finish(self, encoded: Path) -> Path:
        """Return the same file."""
        return encoded


class JsonLinesAnswers(CsvAnswers):
    """The JSON Lines of `POST /predict`."""

    def header(self, answers: Answers) -> bytes:
        """Return nothing: each line names its columns."""
        del answers
        return b""

    def encode(self, answers: Answers) -> bytes:
        """Return the lines."""
        return json_lines(answers)


class ParquetAnswers:
    """The columns of the CSV as Parquet; until the end, as one Arrow stream after the other.

    Ids are integers if all of them are, and otherwise texts.
    """

    def header(self, answers: Answers) -> bytes:
        """Return a stream without rows, which names the columns even if no row follows."""
        return self.encode(answers)

    def encode(self, answers: Answers) -> bytes:
        """Return a stream of the rows."""
        import pyarrow as pa

        columns = flat_columns(answers)
        arrays = [_array(values) for _, values in columns]
        table = pa.table(arrays, names=[name for name, _ in columns])
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        encoded: bytes = stream.getvalue().to_pybytes()
        return encoded

    def finish(self, encoded: Path) -> Path:
        """Write a Parquet file, in row groups of many pieces."""
        import pyarrow as pa
        from pyarrow import parquet

        schema = _common_schema([table.schema for table in _streams(encoded)])
        out = encoded.with_suffix(".parquet")
        with atomic_path(out, OTHER_FILE) as part, parquet.ParquetWriter(part, schema) as writer:
            for group in _groups(table.cast(schema) for table in _streams(encoded)):
                writer.write_table(pa.concat_tables(group), row_group_size=_GROUP_ROWS)
        return out


def _array(values: Sequence[Any]) -> "pa.Array":
    """Return values as an array; as texts if they are not all of one type."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def _streams(path: Path) -> "Iterator[pa.Table]":
    """Yield the tables of a file of streams."""
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        while file.tell() < file.size():
            with pa.ipc.open_stream(file) as stream:
                yield stream.read_all()


def _common_schema(schemas: "Iterable[pa.Schema]") -> "pa.Schema":
    """Return the schema that has room for all: where types differ, text."""
    import pyarrow as pa

    types: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for one in schema:
            types.setdefault(one.name, set()).add(one.type)
    fields = []
    for name, found in types.items():
        known = found - {pa.null()}
        fields.append(pa.field(name, known.pop() if len(known) == 1 else pa.string()))
    return pa.schema(fields)


def _groups(tables: "Iterator[pa.Table]") -> "Iterator[list[pa.Table]]":
    """Yield tables together that make a row group."""
    group: list[pa.Table] = []
    for table in tables:
        group.append(table)
        if sum(one.num_rows for one in group) >= _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


_FORMATS: dict[str, type[AnswerFormat]] = {
    ".csv": CsvAnswers,
    ".jsonl": JsonLinesAnswers,
    ".ndjson": JsonLinesAnswers,
    ".parquet": ParquetAnswers,
}


def answer_format(name: str) -> AnswerFormat:
    """Return the format that the ending of a file's name stands for.

    Raises:
        ConfigError: it stands for none, or the library that it needs is not installed.
    """
    ending = PurePath(name).suffix.lower()
    if ending not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise ConfigError(
            f"{name}: answers are written into a file whose name ends with {known}",
            hint="choose one of these endings, such as --output scores.csv",
        )
    if ending == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install pyarrow, or choose .csv or .jsonl",
        )
    return _FORMATS[ending]()
