// The form for one row.

import { clearAnswer, showAnswer } from "./answer.js";
import { element, byId } from "./elements.js";
import { askForRow, noteVersion } from "./service.js";
import { plural } from "./words.js";

export function startRow(facts) {
  const form = byId("row");
  const controls = facts.names.map((_, at) => byId(`f${at}`));
  const idInput = byId("row-id");
  startSamples(facts, controls, idInput);
  startSearch(facts, controls);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    predict(facts, form, controls, idInput);
  });
}

async function predict(facts, form, controls, idInput) {
  const button = form.querySelector("button.main");
  if (button.ariaBusy === "true") return;
  clear(controls);
  const notNumbers = controls.flatMap((control, at) => (control.validity.badInput ? [at] : []));
  if (notNumbers.length) return showErrors(controls, notNumbers.map((at) => [at, "is not a number"]));
  const record = recordOf(facts, controls, idInput);
  button.ariaBusy = "true";
  try {
    const { row, header } = await askForRow(record, facts.explain);
    showAnswer(facts, row, record, header);
    noteVersion(header("X-Model-Version"), facts.version);
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    showProblem(facts, controls, problem);
  } finally {
    button.ariaBusy = "false";
  }
}

function recordOf(facts, controls, idInput) {
  const values = controls.map((control, at) => {
    const text = control.value.trim();
    if (text === "") return null;
    return facts.numeric[at] ? Number(text) : text;
  });
  const record = Object.fromEntries(facts.names.map((name, at) => [name, values[at]]));
  if (idInput && idInput.value.trim()) record[facts.id] = idInput.value.trim();
  return record;
}

function clear(controls) {
  byId("row-problem").textContent = "";
  controls.forEach((control, at) => {
    control.removeAttribute("aria-invalid");
    byId(`e${at}`).hidden = true;
  });
}

function showProblem(facts, controls, problem) {
  const places = new Map(facts.names.map((name, at) => [name, at]));
  const known = problem.violations.filter((one) => places.has(one.column));
  showErrors(controls, known.map((one) => [places.get(one.column), one.detail]));
  if (known.length < Math.max(1, problem.violations.length)) {
    byId("row-problem").textContent = [problem.detail, problem.hint].filter(Boolean).join(" \u2013 ");
  }
}

// Shows [field index, error] pairs beside the fields, and focuses the first field.
function showErrors(controls, errors) {
  clearAnswer();
  if (!errors.length) return;
  showAll();
  for (const [at, detail] of errors) {
    const message = byId(`e${at}`);
    message.textContent = message.hidden ? detail : `${message.textContent}; ${detail}`;
    message.hidden = false;
    controls[at].setAttribute("aria-invalid", "true");
  }
  byId("row-problem").textContent = `${plural(new Set(errors.map(([at]) => at)).size, "field")} to correct.`;
  controls[Math.min(...errors.map(([at]) => at))].focus();
}

function startSamples(facts, controls, idInput) {
  const buttons = [...document.querySelectorAll("[data-sample]")];
  const mark = (chosen) => buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === chosen)));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const sample = facts.samples[Number(button.dataset.sample)];
      controls.forEach((control, at) => put(control, sample.values[at]));
      if (idInput) idInput.value = sample.id;
      clear(controls);
      mark(button);
    });
  }
  byId("row").addEventListener("input", () => mark(null));
}

function put(control, value) {
  control.value = value;
  if (control.tagName === "SELECT" && control.value !== value) {
    control.append(element("option", { value }, value || "choose"));
    control.value = value;
  }
}

function startSearch(facts, controls) {
  const search = byId("search");
  if (!search) return;
  const names = facts.names.map((name) => name.toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = controls.filter((control, at) => {
      const fits = names[at].includes(wanted);
      control.closest(".field").hidden = !fits;
      return fits;
    }).length;
    byId("found").textContent = wanted ? `${shown} of ${names.length}` : "";
    byId("none").hidden = shown > 0;
    if (byId("field-id")) byId("field-id").hidden = wanted !== "";
  });
}

function showAll() {
  const search = byId("search");
  if (!search || !search.value) return;
  search.value = "";
  search.dispatchEvent(new Event("input"));
}
