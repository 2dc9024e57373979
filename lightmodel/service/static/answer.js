// The answer to one row: the prediction, its probability, and the largest contributions.

import { element, byId, placed, wide } from "./elements.js";
import { labelName, number, percent, shortened, signed } from "./words.js";

const MOST_CLASSES = 6;

// An earlier answer would be mistaken for the answer to the row that was refused.
export function clearAnswer() {
  byId("answer").replaceChildren(element("p", { class: "quiet empty" }, "There is no prediction for the current values."));
}

export function showAnswer(facts, row, record, header) {
  const label = facts.labels.length ? labelName(row.prediction, facts.labels) : number(row.prediction);
  byId("answer").replaceChildren(
    element(
      "p",
      { class: "verdict" },
      element("span", { class: "quiet" }, shortened(facts.target)),
      element("strong", { title: String(row.prediction) }, label),
    ),
    ...HOW_SURE[facts.task](facts, row),
    ...(row.contributions ? [contributions(facts, row.contributions, record, label)] : []),
    ...WARNINGS.filter(([name]) => header(name)).map(([name, text]) => element("p", { class: "aside" }, `${text}: ${columnsIn(header(name))}.`)),
  );
}

const WARNINGS = [
  ["X-Unseen-Categories", "Never seen in training, so scored as missing"],
  ["X-Missing-Values", "Never missing in training, so the median stands in, or a category never seen"],
  ["X-Out-Of-Range", "Far outside the range of training"],
];

const columnsIn = (counts) => counts.replaceAll(/=\d+(?=,|$)/g, "");

const HOW_SURE = {
  binary: (facts, { probability }) => {
    const positive = facts.labels[1];
    const label = `Probability of ${positive}: ${percent(probability)}. Threshold: ${percent(facts.threshold)}.`;
    return [
      element("p", { class: "how-sure" }, `Probability of ${shortened(positive)} `, element("b", { title: String(probability) }, percent(probability))),
      element(
        "div",
        { class: "meter", role: "img", "aria-label": label },
        wide(element("i"), probability),
        placed(element("span", { class: "threshold" }), facts.threshold),
      ),
      element("p", { class: "scale" }, element("span", {}, "0"), under(facts.threshold), element("span", {}, "1")),
    ];
  },
  multiclass: (facts, { probability }) => {
    const sorted = Object.entries(probability).sort((one, other) => other[1] - one[1]);
    const rest = sorted.length - MOST_CLASSES;
    return [
      element("p", { class: "how-sure" }, "Probability of each class"),
      element("ul", { class: "bars" }, ...sorted.slice(0, MOST_CLASSES).map(([name, share]) => classBar(name, share))),
      ...(rest > 0 ? [element("p", { class: "quiet" }, `The other ${rest} are less probable.`)] : []),
    ];
  },
  regression: (facts, { prediction }) => {
    if (!facts.range) return [];
    const [low, high] = facts.range;
    const place = (prediction - low) / (high - low || 1);
    const label = `Range in the training data: ${number(low)} to ${number(high)}.`;
    return [
      element("p", { class: "how-sure" }, "Compared with the training data"),
      element("div", { class: "meter", role: "img", "aria-label": label }, placed(element("span", { class: "dot" }), place)),
      element("p", { class: "scale" }, element("span", {}, number(low)), element("span", {}, number(high))),
    ];
  },
};

function under(threshold) {
  const label = element("span", { class: "at" }, `threshold ${percent(threshold)}`);
  return placed(label, Math.min(0.76, Math.max(0.24, threshold)));
}

export function classBar(name, share, text = percent(share)) {
  return element(
    "li",
    {},
    element("span", { class: "name", title: name }, shortened(name)),
    element("span", { class: "track", "aria-hidden": "true" }, wide(element("i"), share)),
    element("span", { class: "amount" }, text),
  );
}

function contributions(facts, parts, record, label) {
  const largest = Math.max(...parts.map(({ value }) => Math.abs(value))) || 1;
  const raised = { binary: facts.labels[1], multiclass: label, regression: "a larger number" }[facts.task];
  const scale = facts.task === "regression" ? "the model's raw score" : "log-odds";
  const rows = parts.map(({ feature, value }) => {
    const bar = element("span", { class: value < 0 ? "swing less" : "swing" }, wide(element("i"), Math.abs(value) / largest / 2));
    const given = record[feature];
    return element(
      "tr",
      {},
      element(
        "th",
        { scope: "row", title: feature },
        shortened(feature, 24),
        element("span", { class: "unit" }, given === null ? "missing" : shortened(String(given), 24)),
      ),
      element("td", { class: "swings", "aria-hidden": "true" }, bar),
      element("td", {}, signed(value)),
    );
  });
  return element(
    "div",
    { class: "moved" },
    element("h3", { id: "moved-title" }, "Largest contributions"),
    element("table", { "aria-labelledby": "moved-title" }, element("tbody", {}, ...rows)),
    element("p", { class: "quiet small-print" }, `In ${scale}: to the right towards ${shortened(raised, 24)}, to the left away from it.`),
  );
}
