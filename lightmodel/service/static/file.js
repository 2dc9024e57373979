// The drop zone: a file goes up, and what comes back is shown.

import { element, found } from "./elements.js";
import { showResults } from "./results.js";
import { askForFile, noteVersion } from "./service.js";
import { summarise } from "./summary.js";
import { count, megabytes, plural } from "./words.js";

let running = null;

export function startFile(facts) {
  const zone = found("drop");
  const input = found("file");
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) score(facts, file);
    input.value = ""; // so that the same file can be chosen again
  });
  found("cancel").addEventListener("click", () => running?.cancel());
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault(); // beside the zone too: the browser would open the file instead of the page
    zone.classList.toggle("over", zone.contains(event.target));
  };
  window.addEventListener("dragover", over);
  window.addEventListener("dragleave", () => zone.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    over(event);
    zone.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) score(facts, file);
  });
}

async function score(facts, file) {
  running?.cancel();
  found("file-problem").replaceChildren();
  found("results").hidden = true;
  const started = performance.now();
  const asked = askForFile(file, (sent, total) => progress(file, sent, total));
  running = asked;
  progress(file, 0, file.size);
  try {
    const { blob, header } = await asked.answer;
    if (running !== asked) return;
    const seconds = (performance.now() - started) / 1000;
    const summary = await summarise(blob, facts);
    if (running !== asked) return;
    showResults(facts, file, summary, blob, header, seconds);
    found("told").textContent = `${plural(summary.rows, "row")} scored.`;
    noteVersion(header("X-Model-Version"), facts.version);
  } catch (problem) {
    if (running !== asked) return;
    if (problem !== null && problem.status === undefined) throw problem;
    if (problem) complain(file, problem);
    else found("told").textContent = "Cancelled.";
  } finally {
    if (running === asked) {
      found("sending").hidden = true;
      running = null;
    }
  }
}

function progress(file, sent, total) {
  const bar = found("progress");
  found("sending").hidden = false;
  const stage = sent < total ? "Uploading" : "Scoring";
  found("stage").textContent =
    sent < total ? `Uploading ${file.name}: ${megabytes(sent)} of ${megabytes(total)}` : `Scoring ${file.name}\u2026`;
  if (sent < total) bar.value = sent / total;
  else bar.removeAttribute("value");
  if (!found("told").textContent.startsWith(stage)) found("told").textContent = `${stage}.`;
}

function complain(file, problem) {
  const hint = problem.hint ? element("p", { class: "quiet" }, `${problem.hint}.`) : "";
  const whats = problem.violations;
  const head = whats.length
    ? `${file.name} does not fit: ${plural(whats.length, "thing")} to put right.`
    : `${file.name} was not scored.`;
  found("file-problem").replaceChildren(
    element(
      "div",
      { class: "wrong" },
      element("h3", {}, head),
      whats.length
        ? element("ul", { class: "violations" }, ...whats.slice(0, 50).map(violation))
        : element("p", { class: "said" }, problem.detail),
      whats.length > 50 ? element("p", {}, `\u2026 and ${count(whats.length - 50)} more.`) : "",
      hint,
    ),
  );
}

function violation({ column, detail, rows, total }) {
  const more = total > rows.length ? `, \u2026 ${count(total)} in all` : "";
  const where = total ? `${total === 1 ? "row" : "rows"} ${rows.map(count).join(", ")}${more}` : "";
  return element(
    "li",
    {},
    column ? element("b", {}, column) : "",
    ` ${detail}`,
    where ? element("span", { class: "where" }, where) : "",
  );
}
