// The results of a file: the counts of predictions, the histogram of scores, and the first rows.

import { classBar } from "./answer.js";
import { element, byId } from "./elements.js";
import { histogram } from "./histogram.js";
import { binned } from "./summary.js";
import { count, number, percent, plural } from "./words.js";

const MOST_LABELS = 8;
const FORMULAS = "Cells that a spreadsheet would run as a formula begin with an apostrophe in the download.";
let address = "";

export function showResults(facts, file, summary, blob, header, seconds) {
  const place = byId("results");
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(blob);
  place.replaceChildren(
    element(
      "div",
      { class: "result-head" },
      element(
        "div",
        {},
        element("h3", {}, `${plural(summary.rows, "row")} scored`),
        element("p", { class: "quiet" }, `${file.name}, in ${number(Number(seconds.toPrecision(2)))} s, by ${header("X-Model-Version")}`),
      ),
      element("a", { class: "button main", id: "download", href: address, download: downloadName(file.name) }, "Download as CSV"),
    ),
    ...notes(header),
    summary.formulas ? element("p", { class: "aside" }, FORMULAS) : "",
    element("div", { class: "pair" }, overview(facts, summary), scores(facts, summary)),
    table(summary),
  );
  place.hidden = false;
  place.focus({ preventScroll: true });
}

const downloadName = (name) => `${name.replace(/(\.(csv|tsv|txt|gz|parquet|json|jsonl|ndjson|xlsx))+$/i, "")}-predictions.csv`;

function notes(header) {
  const warnings = [
    ["Columns that the model does not know were left out", header("X-Ignored-Columns")],
    ["Categories never seen in training were scored as missing", header("X-Unseen-Categories").replaceAll("=", ": ")],
    ["Values missing in columns that had none in training were replaced by the median, or scored as a category never seen", header("X-Missing-Values").replaceAll("=", ": ")],
    ["Numbers far outside the range of training were scored as they are", header("X-Out-Of-Range").replaceAll("=", ": ")],
    ["Rows without any value were left out", header("X-Blank-Rows").replace("rows=", "rows ")],
    ["Formulas without a stored value were scored as missing; save the file in Excel", header("X-Missing-Formulas").replaceAll("=", ": ")],
  ];
  return warnings.filter(([, details]) => details).map(([text, details]) => element("p", { class: "aside" }, `${text} (${details}).`));
}

function overview(facts, { rows, counts, scores }) {
  if (!facts.labels.length) return spread(scores);
  const sorted = [...counts].sort((one, other) => other[1] - one[1]);
  const rest = sorted.slice(MOST_LABELS).reduce((sum, [, amount]) => sum + amount, 0);
  const shown = sorted.slice(0, MOST_LABELS);
  if (sorted.length > MOST_LABELS) shown.push([`${sorted.length - MOST_LABELS} others`, rest]);
  return element(
    "div",
    {},
    element("h4", {}, "Predicted"),
    element(
      "ul",
      { class: "bars counts" },
      ...shown.map(([name, amount]) => classBar(name, amount / rows, `${count(amount)} (${percent(amount / rows)})`)),
    ),
    facts.threshold === null
      ? ""
      : element("p", { class: "quiet small-print" }, `Rows with a probability of at least ${percent(facts.threshold)} are predicted as ${facts.labels[1]}.`),
  );
}

function spread(scores) {
  let [low, high, sum] = [Infinity, -Infinity, 0];
  for (const score of scores) {
    low = Math.min(low, score);
    high = Math.max(high, score);
    sum += score;
  }
  const facts = [["Smallest", low], ["Mean", sum / scores.length], ["Largest", high]];
  return element(
    "div",
    {},
    element("h4", {}, "Predicted"),
    element("dl", { class: "spread" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, number(value))))),
  );
}

function scores(facts, { scores: all }) {
  const title = {
    binary: `Probability of ${facts.labels[1]}`,
    multiclass: "Probability of the predicted class",
    regression: "Predictions",
  }[facts.task];
  const bins = binned(all, facts.task !== "regression");
  const label = `Histogram of ${plural(all.length, "row")}: ${title}`;
  return element("div", {}, element("h4", {}, title), histogram(bins, { label, threshold: facts.threshold }));
}

function table({ header, first, rows }) {
  const cell = (text, at) => element("td", { class: isNumber(text) ? "" : "text" }, shownCell(text, header[at]));
  return element(
    "div",
    {},
    element("h4", {}, first.length < rows ? `The first ${first.length} rows` : "All rows"),
    element(
      "div",
      { class: "scroll tall", role: "region", "aria-label": "Rows", tabindex: "0" },
      element(
        "table",
        { id: "rows" },
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Row"), ...header.map((name, at) => element("th", { scope: "col", class: isNumber(first[0]?.[at] ?? "") ? "" : "text" }, name)))),
        element("tbody", {}, ...first.map((cells, at) => element("tr", {}, element("th", { scope: "row" }, count(at + 1)), ...cells.map(cell)))),
      ),
    ),
  );
}

const isNumber = (text) => text !== "" && Number.isFinite(Number(text));

// The download has all digits; four decimals are enough to read.
const shownCell = (text, name) =>
  name.startsWith("probability") && isNumber(text) ? Number(text).toFixed(4) : text;
