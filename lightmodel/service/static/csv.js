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
