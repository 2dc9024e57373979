// Formats numbers and names for display.

const WHOLE = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 5 });

export const count = (number) => WHOLE.format(number);

export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

export function number(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e9) ? value.toExponential(3) : SHORT.format(value);
  return text.replaceAll("-", "\u2212");
}

export const signed = (value) => (value > 0 ? "+" : "") + number(Number(value.toPrecision(3)));

// Only exact 0 and 1 are shown as 0 % and 100 %.
export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1\u00a0%";
  if (share < 1 && share > 0.999) return "> 99.9\u00a0%";
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

export function megabytes(bytes) {
  return bytes < 1e6 ? `${count(Math.ceil(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

// Returns a label as written in training: JSON turns 1.0 into 1.
export function labelName(label, labels) {
  const text = String(label);
  if (labels.includes(text) || typeof label !== "number") return text;
  return labels.find((name) => Number(name) === label) ?? text;
}

// The middle of a long name is cut out: both ends tell columns apart better than one.
export function shortened(name, most = 40) {
  const letters = [...name];
  if (letters.length <= most) return name;
  return `${letters.slice(0, most - 15).join("")}\u2026${letters.slice(-14).join("")}`;
}
