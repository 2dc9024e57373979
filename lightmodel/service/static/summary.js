// Summarises a scored file for the page: counts, scores, and the first rows.

import { eachRow, isFormula } from "./csv.js";

const MAX_ROWS = 100;

// Returns {header, rows, first, counts, scores, formulas}; `scores` are what the histogram shows, and `formulas` is
// whether a spreadsheet would run some cell.
export async function summarise(blob, facts) {
  const classes = { binary: 1, multiclass: facts.labels.length, regression: 0 }[facts.task];
  const counts = new Map(facts.labels.map((label) => [label, 0]));
  const scores = [];
  const first = [];
  let header = null;
  let formulas = false;
  await eachRow(blob, (cells) => {
    formulas ||= cells.some(isFormula);
    if (!header) {
      header = cells;
      return;
    }
    if (first.length < MAX_ROWS) first.push(cells);
    const at = cells.length - classes - 1;
    if (classes) counts.set(cells[at], (counts.get(cells[at]) ?? 0) + 1);
    scores.push(classes ? largest(cells, at + 1) : Number(cells[at]));
  });
  return { header, rows: scores.length, first, counts, scores, formulas };
}

function largest(cells, from) {
  let most = Number(cells[from]);
  for (let at = from + 1; at < cells.length; at++) most = Math.max(most, Number(cells[at]));
  return most;
}

// Counts scores in bins of equal width; bins of probabilities cover 0 to 1.
export function binned(scores, isProbability, bins = 40) {
  let [low, high] = [0, 1];
  if (!isProbability) {
    [low, high] = [Infinity, -Infinity];
    for (const score of scores) {
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
  }
  const amounts = new Array(bins).fill(0);
  for (const score of scores) {
    amounts[Math.min(bins - 1, Math.floor(((score - low) / (high - low)) * bins))] += 1;
  }
  return { low, high, amounts };
}
