// The form for one row.

import { clearAnswer, showAnswer } from "./answer.js";
import { element, found } from "./elements.js";
import { askForRow, noteVersion } from "./service.js";
import { plural } from "./words.js";

export function startRow(facts) {
  const form = found("row");
  const controls = facts.names.map((_, at) => found(`f${at}`));
  const own = found("row-id");
  startSamples(facts, controls, own);
  startSearch(facts, controls);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    predict(facts, form, controls, own);
  });
}

async function predict(facts, form, controls, own) {
  const button = form.querySelector("button.main");
  if (button.ariaBusy === "true") return;
  clear(controls);
  const unread = controls.flatMap((control, at) => (control.validity.badInput ? [at] : []));
  if (unread.length) return tell(controls, unread.map((at) => [at, "is not a number"]));
  const record = recordOf(facts, controls, own);
  button.ariaBusy = "true";
  try {
    const { row, header } = await askForRow(record, facts.explain);
    showAnswer(facts, row, record, header("X-Unseen-Categories"));
    noteVersion(header("X-Model-Version"), facts.version);
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    complain(facts, controls, problem);
  } finally {
    button.ariaBusy = "false";
  }
}

function recordOf(facts, controls, own) {
  const values = controls.map((control, at) => {
    const text = control.value.trim();
    if (text === "") return null;
    return facts.numeric[at] ? Number(text) : text;
  });
  const record = Object.fromEntries(facts.names.map((name, at) => [name, values[at]]));
  if (own && own.value.trim()) record[facts.id] = own.value.trim();
  return record;
}

function clear(controls) {
  found("row-problem").textContent = "";
  controls.forEach((control, at) => {
    control.removeAttribute("aria-invalid");
    found(`e${at}`).hidden = true;
  });
}

function complain(facts, controls, problem) {
  const places = new Map(facts.names.map((name, at) => [name, at]));
  const known = problem.violations.filter((one) => places.has(one.column));
  tell(controls, known.map((one) => [places.get(one.column), one.detail]));
  if (known.length < Math.max(1, problem.violations.length)) {
    found("row-problem").textContent = [problem.detail, problem.hint].filter(Boolean).join(" \u2013 ");
  }
}

// Shows [place, what is wrong] beside the fields, and takes the reader to the first.
function tell(controls, wrong) {
  clearAnswer();
  if (!wrong.length) return;
  showAll();
  for (const [at, detail] of wrong) {
    const message = found(`e${at}`);
    message.textContent = message.hidden ? detail : `${message.textContent}; ${detail}`;
    message.hidden = false;
    controls[at].setAttribute("aria-invalid", "true");
  }
  found("row-problem").textContent = `${plural(new Set(wrong.map(([at]) => at)).size, "field")} to look at again.`;
  controls[Math.min(...wrong.map(([at]) => at))].focus();
}

function startSamples(facts, controls, own) {
  const buttons = [...document.querySelectorAll("[data-sample]")];
  const mark = (chosen) => buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === chosen)));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const sample = facts.samples[Number(button.dataset.sample)];
      controls.forEach((control, at) => put(control, sample.values[at]));
      if (own) own.value = sample.id;
      clear(controls);
      mark(button);
    });
  }
  found("row").addEventListener("input", () => mark(null));
}

function put(control, value) {
  control.value = value;
  if (control.tagName === "SELECT" && control.value !== value) {
    control.append(element("option", { value }, value || "choose"));
    control.value = value;
  }
}

function startSearch(facts, controls) {
  const search = found("search");
  if (!search) return;
  const names = facts.names.map((name) => name.toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = controls.filter((control, at) => {
      const fits = names[at].includes(wanted);
      control.closest(".field").hidden = !fits;
      return fits;
    }).length;
    found("found").textContent = wanted ? `${shown} of ${names.length}` : "";
    found("none").hidden = shown > 0;
    if (found("field-id")) found("field-id").hidden = wanted !== "";
  });
}

function showAll() {
  const search = found("search");
  if (!search || !search.value) return;
  search.value = "";
  search.dispatchEvent(new Event("input"));
}
