"""Writers of answers as JSON, JSON Lines or CSV; each block is encoded to bytes at once."""

import csv
import io
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import orjson

from lightmodel.errors import TooLarge
from lightmodel.scoring.predictor import Answers
from lightmodel.tables.media_types import CSV, JSON, JSON_LINES

_KEPT_BYTES = 16  # of a row: its score, and a reference to its label


class JsonWriter:
    """Writes a JSON list with one object per row; each has `explain` contributions."""

    mimetype = JSON
    skips_blank = True  # whether rows without a value are left out
    _before, _between, _after = b"[", b",", b"]"

    def __init__(self, explain: int = 0) -> None:
        self.explain = explain
        self._out = io.BytesIO()  # unlike a list of blocks, it returns all of them without a copy
        self._is_empty = True
        self._bytes = 0

    def add(self, answers: Answers, most: int = sys.maxsize) -> None:
        """Encode one block of answers.

        Raises:
            TooLarge: the body, and what is kept for the log, have more than `most` bytes.
        """
        encoded = self._encode(answers)
        self._out.write(self._before if self._is_empty else self._between)
        self._out.write(encoded)
        self._is_empty = False
        self._bytes += len(encoded) + sum(map(sys.getsizeof, answers.ids or ()))
        self._bytes += _KEPT_BYTES * len(answers.predictions)
        if self._bytes > most:
            raise TooLarge(
                f"the answer takes more than {most >> 20:,} MB, by serve.max_buffered_mb",
                hint="send the rows in parts, or ask for CSV, which is shorter, by Accept: text/csv",
            )

    def body(self) -> bytes:
        """Return the response body of all blocks, once."""
        self._out.write(self._before + self._after if self._is_empty else self._after)
        return self._out.getvalue()

    def _encode(self, answers: Answers) -> bytes:
        return orjson.dumps(answers.rows())[1:-1]


class JsonLinesWriter(JsonWriter):
    """Writes one JSON object per line."""

    mimetype = JSON_LINES
    _before = _between = _after = b""

    def _encode(self, answers: Answers) -> bytes:
        return json_lines(answers)


class MlflowWriter(JsonWriter):
    """Writes what MLflow's scoring server answers for the registered model: the same objects, wrapped.

    Its clients match answers to rows by their position.
    """

    skips_blank = False

    _before, _after = b'{"predictions":[', b"]}"


class CsvWriter(JsonWriter):
    """Writes CSV with a header; each contribution has two columns."""

    mimetype = CSV
    _before = _between = _after = b""

    def _encode(self, answers: Answers) -> bytes:
        if not self.explain:
            header = csv_lines([self._header(answers)]) if self._is_empty else b""
            return header + csv_answers(answers)
        rows = _csv_rows(answers)
        for row, contributions in zip(rows, answers.contributions or (), strict=False):
            row += [cell for part in contributions for cell in (part["feature"], part["value"])]
        for row, base_value in zip(rows, answers.base_values or (), strict=False):
            row.append(base_value)
        return csv_lines([self._header(answers), *rows] if self._is_empty else rows)

    def _header(self, answers: Answers) -> list[str]:
        names = [name for name, _ in flat_columns(answers)]
        for number in range(1, self.explain + 1):
            names += [f"contribution_{number}_feature", f"contribution_{number}_value"]
        names += ["base_value"] if self.explain else []
        return names


WRITERS: dict[str, type[JsonWriter]] = {
    writer.mimetype: writer for writer in (JsonWriter, CsvWriter, JsonLinesWriter)
}


def json_lines(answers: Answers) -> bytes:
    """Return answers as JSON Lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in answers.rows())


def csv_answers(answers: Answers) -> bytes:
    """Return the rows of answers as CSV, without a header and contributions."""
    texts = [_plain_cells(values) for _, values in flat_columns(answers)]
    if len(texts) == 1 or not all(texts):
        return csv_lines(_csv_rows(answers))
    return "".join([f"{line}\n" for line in map(",".join, zip(*texts, strict=True))]).encode()


def _plain_cells(values: Sequence[Any]) -> list[str]:
    """Return cells as `csv_lines` writes them; [] where it takes more than text: quotes, or a gap.

    Column by column, this is several times faster.
    """
    kinds = set(map(type, values))
    if kinds == {bool}:
        return [str(csv_value(value)) for value in values]
    if kinds in ({float}, {int}):
        return list(map(repr, values))
    together = "\n".join(values) if kinds == {str} else '"'
    needs_quotes = any(sign in together for sign in ',"\r') or together.count("\n") >= len(values)
    return [] if needs_quotes else list(values)


def _csv_rows(answers: Answers) -> list[list[Any]]:
    """Return the cells of each row for `csv_lines`, without contributions."""
    columns = [
        [csv_value(value) for value in values] if name == "prediction" else values
        for name, values in flat_columns(answers)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def flat_columns(answers: Answers) -> list[tuple[str, Sequence[Any]]]:
    """Return names and values of the columns of a flat table: id, prediction, one for each probability."""
    columns: list[tuple[str, Sequence[Any]]] = []
    if answers.ids is not None:
        columns.append((answers.id_name or "", answers.ids))
    columns.append(("prediction", answers.predictions))
    if answers.is_binary:
        columns.append(("probability", answers.scores.tolist()))
    elif answers.label_names:
        names = [f"probability_{label}" for label in answers.label_names]
        columns += zip(names, answers.scores.T.tolist(), strict=True)
    return columns


def csv_lines(rows: Sequence[Sequence[Any]], delimiter: str = ",", quote: str = '"') -> bytes:
    """Return rows as CSV; a missing value is an empty cell."""
    write = partial(_csv_text, rows, delimiter, quote)
    text = write(csv.QUOTE_MINIMAL)
    # Before Python 3.13, a cell with a lone carriage return is left without quotes.
    return (text if "\r" not in text else write(csv.QUOTE_NONNUMERIC)).encode()


def _csv_text(
    rows: Sequence[Sequence[Any]], delimiter: str, quote: str, quoting: Literal[0, 2]
) -> str:
    text = io.StringIO()
    csv.writer(
        text, delimiter=delimiter, quotechar=quote, lineterminator="\n", quoting=quoting
    ).writerows(rows)
    return text.getvalue()


def csv_value(value: object) -> object:
    """Return a value for `csv_lines`: a boolean is written as in JSON."""
    return str(value).lower() if isinstance(value, bool) else value
