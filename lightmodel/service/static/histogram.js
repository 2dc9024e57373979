// A histogram that is redrawn when its container changes width, so that its text keeps its size.

import { drawn, element } from "./elements.js";
import { count, number, percent } from "./words.js";

const HEIGHT = 230;
const LEFT = 46;
const BOTTOM = 30;
const TOP = 24;
const RIGHT = 12;

// `bins` is {low, high, amounts}; a threshold splits the colours.
export function histogram(bins, { label, threshold = null }) {
  const place = element("div", { class: "histogram" });
  new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width > 0) place.replaceChildren(picture(bins, width, label, threshold));
  }).observe(place);
  return place;
}

function picture({ low, high, amounts }, width, label, threshold) {
  const most = Math.max(...amounts, 1);
  const [inner, tall] = [width - LEFT - RIGHT, HEIGHT - BOTTOM - TOP];
  const x = (value) => LEFT + ((value - low) / (high - low)) * inner;
  const y = (amount) => TOP + tall - (amount / most) * tall;
  const step = (high - low) / amounts.length;
  const isShare = low === 0 && high === 1;
  const formatted = (value) => (isShare ? percent(value) : number(Number(value.toPrecision(4))));
  const bars = amounts.map((amount, at) => {
    const from = low + at * step;
    const above = threshold === null || from + step / 2 >= threshold;
    const bar = drawn("rect", {
      class: above ? "above" : "below",
      x: x(from) + 0.5,
      y: amount ? Math.min(y(amount), TOP + tall - 1.5) : TOP + tall,
      width: Math.max(1, inner / amounts.length - 1),
      height: amount ? Math.max(1.5, TOP + tall - y(amount)) : 0,
    });
    bar.append(drawn("title", {}, `${formatted(from)} to ${formatted(from + step)}: ${count(amount)}`));
    return bar;
  });
  return drawn(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label },
    ...levels(most).map((amount) => level(amount, y(amount), width)),
    ...bars,
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => tick(low + share * (high - low), share, x, isShare)),
    ...(threshold === null ? [] : mark(threshold, x, tall, width)),
  );
}

// Returns two or three round amounts up to `most`.
function levels(most) {
  const unit = 10 ** Math.floor(Math.log10(most));
  const step = [0.5, 1, 2, 5].map((times) => times * unit).find((each) => most / each <= 3.2) ?? unit;
  const whole = Math.max(1, Math.round(step));
  return Array.from({ length: Math.floor(most / whole) + 1 }, (_, at) => at * whole);
}

function level(amount, y, width) {
  return drawn(
    "g",
    { class: "level" },
    drawn("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
    drawn("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" }, compact(amount)),
  );
}

const compact = (amount) =>
  new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(amount);

function tick(value, share, x, isShare) {
  const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
  const text = isShare ? String(value) : number(Number(value.toPrecision(3)));
  return drawn("text", { class: "tick", x: x(value), y: HEIGHT - 9, "text-anchor": anchor }, text);
}

function mark(threshold, x, tall, width) {
  const at = x(threshold);
  const right = at > width / 2;
  return [
    drawn("line", { class: "threshold", x1: at, x2: at, y1: 6, y2: TOP + tall }),
    drawn(
      "text",
      { class: "tick", x: at + (right ? -7 : 7), y: 15, "text-anchor": right ? "end" : "start" },
      `threshold ${percent(threshold)}`,
    ),
  ];
}
