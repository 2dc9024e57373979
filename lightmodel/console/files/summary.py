"""What the console shows of an answer in CSV: read block by block, so that its size does not matter."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv  # it parses a million rows in a tenth of a second

FIRST_ROWS = 100
_BINS = 40
_MAX_LABELS = 8
_BLOCK = 1 << 20
_FORMULA = r"^[=@\t\r]"  # what a spreadsheet runs
_SIGNED = r"^[+-]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """The number of rows in bins of equal width between `low` and `high`."""

    low: float
    high: float
    amounts: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """The rows of an answer.

    Attributes:
        header: the names of its columns.
        rows: their number.
        first: the cells of the first rows.
        counts: predicted label → number of rows, the most frequent first; empty for a regression.
        smallest, mean, largest: of the scores: predictions, or probabilities of the positive or the
            predicted class.
        histogram: of the scores.
        has_formulas: whether a spreadsheet would run some cell.
    """

    header: tuple[str, ...]
    rows: int
    first: tuple[tuple[str, ...], ...]
    counts: tuple[tuple[str, int], ...]
    smallest: float
    mean: float
    largest: float
    histogram: Histogram
    has_formulas: bool


def summarise(path: Path, classes: int) -> Summary:
    """Return the summary of an answer.

    Args:
        path: of the CSV, as `POST /predict` answers: the label and the probabilities come last.
        classes: the number of its columns of probabilities: 0 for a regression.

    Raises:
        pyarrow.ArrowInvalid, StopIteration: it is no such CSV.
    """
    header, lines = _header(path)
    first: list[tuple[str, ...]] = []
    counts: Counter[str] = Counter()
    rows, total, low, high, has_formulas = 0, 0.0, np.inf, -np.inf, any(map(_is_formula, header))
    for batch in _batches(path, len(header), lines, classes):
        first += _cells(batch, FIRST_ROWS - len(first))
        has_formulas = has_formulas or _has_formulas(batch)
        if classes:
            counts.update(_labels(batch.column(len(header) - classes - 1)))
        scores = _scores(batch, classes)
        rows += len(scores)
        total += float(scores.sum())
        low, high = min(low, scores.min(initial=low)), max(high, scores.max(initial=high))
    edges = np.linspace(*((0.0, 1.0) if classes else _limits(low, high)), _BINS + 1)
    amounts = np.zeros(_BINS, np.int64)
    for batch in _batches(path, len(header), lines, classes):
        amounts += np.histogram(_scores(batch, classes), edges)[0]
    histogram = Histogram(float(edges[0]), float(edges[-1]), tuple(amounts.tolist()))
    mean = total / rows if rows else np.nan
    numbers = (float(low), mean, float(high))
    return Summary(header, rows, tuple(first), _shown(counts), *numbers, histogram, has_formulas)


def _header(path: Path) -> tuple[tuple[str, ...], int]:
    """Return the names of the columns, and the number of lines that they take."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        return tuple(next(reader)), reader.line_num


def _batches(path: Path, columns: int, lines: int, classes: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows in blocks: the scores as numbers, all else as text."""
    names = [str(number) for number in range(columns)]  # the header's may occur twice
    scores = columns - max(classes, 1)
    types = {
        name: pa.float64() if number >= scores else pa.string() for number, name in enumerate(names)
    }
    read = arrow_csv.ReadOptions(
        use_threads=False, block_size=_BLOCK, column_names=names, skip_rows=lines
    )
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    try:
        with arrow_csv.open_csv(path, read, parse, convert) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise


def _scores(batch: pa.RecordBatch, classes: int) -> Scores:
    """Return one score a row: the prediction, or the largest of several probabilities."""
    columns = batch.columns[batch.num_columns - max(classes, 1) :]
    column = pc.max_element_wise(*columns) if len(columns) > 1 else columns[0]
    scores: Scores = np.asarray(  # pyarrow's own way would load pandas
        np.from_dlpack(column.drop_null()), np.float64
    )
    return scores[np.isfinite(scores)]


def _labels(column: pa.Array) -> dict[str, int]:
    counted = pc.value_counts(column)
    return dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))


def _cells(batch: pa.RecordBatch, most: int) -> list[tuple[str, ...]]:
    columns = [column.to_pylist() for column in batch.slice(0, most).columns]
    return [
        tuple("" if cell is None else str(cell) for cell in row)
        for row in zip(*columns, strict=True)
    ]


def _has_formulas(batch: pa.RecordBatch) -> bool:
    for column in batch.columns:
        if pa.types.is_string(column.type):
            signed = pc.and_not(
                pc.match_substring_regex(column, _SIGNED), pc.match_substring_regex(column, _NUMBER)
            )
            if pc.any(pc.or_(pc.match_substring_regex(column, _FORMULA), signed)).as_py():
                return True
    return False


def _is_formula(cell: str) -> bool:
    """Return whether a spreadsheet would run a cell; a number with its sign is none."""
    if cell[:1] in {"+", "-"}:
        try:
            float(cell)
        except ValueError:
            return True
    return cell[:1] in {"=", "@", "\t", "\r"} and bool(cell)


def without_formulas(path: Path) -> Iterator[bytes]:
    """Yield the same CSV in blocks, with an apostrophe before each formula, which makes it a text."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = _Lines()
        writer = csv.writer(lines, lineterminator="\n")
        for row in csv.reader(file):
            writer.writerow([f"'{cell}" if _is_formula(cell) else cell for cell in row])
            if lines.size > _BLOCK:
                yield lines.take()
        yield lines.take()


class _Lines:
    """Receives lines, and returns them as bytes."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.size = 0

    def write(self, text: str) -> None:
        self._texts.append(text)
        self.size += len(text)

    def take(self) -> bytes:
        block = "".join(self._texts).encode()
        self._texts, self.size = [], 0
        return block


def _limits(low: float, high: float) -> tuple[float, float]:
    if not np.isfinite(low):
        return 0.0, 1.0
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _shown(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Return the most frequent labels, and the others as one."""
    shown = counts.most_common(_MAX_LABELS)
    others = len(counts) - len(shown)
    if others:
        shown.append((f"{others} others", counts.total() - sum(amount for _, amount in shown)))
    return tuple(shown)
