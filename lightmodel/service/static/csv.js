// Reads an answer in CSV as a stream from a blob: only what the page shows is kept in memory.

// Calls `take` with the cells of each row, the header first.
export async function eachRow(blob, take) {
  let cells = [];
  let cell = "";
  let inside = false;
  let quoted = false;
  const endRow = () => {
    take([...cells, cell]);
    cells = [];
    cell = "";
    quoted = false;
  };
  const read = (text) => {
    for (const letter of text) {
      if (letter === '"') {
        if (!inside && quoted) cell += letter; // the second of a pair, which stands for one quote; the first closed the cell
        inside = !inside;
        quoted = true;
      } else if (inside) cell += letter;
      else if (letter === "\n") endRow();
      else if (letter === ",") {
        cells.push(cell);
        cell = "";
        quoted = false;
      } else cell += letter;
    }
  };
  const reader = blob.stream().pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) read(piece.value);
  if (cells.length || cell) endRow();
}

// Whether a spreadsheet would run a cell as a formula; a number with its sign is none.
export const isFormula = (cell) => /^[=@\t\r]/.test(cell) || (/^[+-]/.test(cell) && !Number.isFinite(Number(cell)));

// Returns the same CSV with an apostrophe before each formula, which makes it a text in a spreadsheet.
export async function withoutFormulas(blob) {
  const parts = [];
  let lines = "";
  await eachRow(blob, (cells) => {
    lines += `${cells.map(written).join(",")}\n`;
    if (lines.length < PART) return;
    parts.push(new Blob([lines]));
    lines = "";
  });
  return new Blob([...parts, lines], { type: "text/csv" });
}

const PART = 1 << 20;

function written(cell) {
  const text = isFormula(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
