// The drop zone: uploads a file, and shows the results.

import { withoutFormulas } from "./csv.js";
import { element, byId } from "./elements.js";
import { showResults } from "./results.js";
import { askForFile, noteVersion } from "./service.js";
import { summarise } from "./summary.js";
import { count, megabytes, plural } from "./words.js";

let running = null;

export function startFile(facts) {
  const zone = byId("drop");
  const input = byId("file");
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) score(facts, file);
    input.value = ""; // so that choosing the same file again is a change
  });
  byId("cancel").addEventListener("click", () => running?.cancel());
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault(); // outside the zone too, where the browser would open the file instead of the page
    zone.classList.toggle("over", zone.contains(event.target));
  };
  window.addEventListener("dragover", over);
  window.addEventListener("dragleave", () => zone.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    over(event);
    zone.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length === 1) score(facts, files[0]);
    if (files.length > 1) refuse(files);
  });
}

function refuse(files) {
  const name = files.map((file) => file.name).join(", ");
  showProblem({ name }, { detail: "Files are scored one at a time: choose one of them.", violations: [] });
}

async function score(facts, file) {
  running?.cancel();
  byId("file-problem").replaceChildren();
  byId("results").hidden = true;
  const started = performance.now();
  const upload = askForFile(file, (sent, total) => progress(file, sent, total));
  running = upload;
  progress(file, 0, file.size);
  try {
    const { blob, header } = await upload.answer;
    if (running !== upload) return;
    const seconds = (performance.now() - started) / 1000;
    const summary = await summarise(blob, facts);
    const download = summary.formulas ? await withoutFormulas(blob) : blob;
    if (running !== upload) return;
    showResults(facts, file, summary, download, header, seconds);
    byId("file-status").textContent = `${plural(summary.rows, "row")} scored.`;
    noteVersion(header("X-Model-Version"), facts.version);
  } catch (problem) {
    if (running !== upload) return;
    if (problem !== null && problem.status === undefined) throw problem;
    if (problem) showProblem(file, problem);
    else byId("file-status").textContent = "Cancelled.";
  } finally {
    if (running === upload) {
      byId("sending").hidden = true;
      running = null;
    }
  }
}

function progress(file, sent, total) {
  const bar = byId("progress");
  byId("sending").hidden = false;
  const stage = sent < total ? "Uploading" : "Scoring";
  byId("stage").textContent =
    sent < total ? `Uploading ${file.name}: ${megabytes(sent)} of ${megabytes(total)}` : `Scoring ${file.name}\u2026`;
  if (sent < total) bar.value = sent / total;
  else bar.removeAttribute("value");
  if (!byId("file-status").textContent.startsWith(stage)) byId("file-status").textContent = `${stage}.`;
}

function showProblem(file, problem) {
  const hint = problem.hint ? element("p", { class: "quiet" }, `${problem.hint}.`) : "";
  const { violations } = problem;
  const head = violations.length
    ? `${file.name} was not scored: ${plural(violations.length, "problem")} to fix.`
    : `${file.name} was not scored.`;
  byId("file-problem").replaceChildren(
    element(
      "div",
      { class: "wrong" },
      element("h3", {}, head),
      violations.length
        ? element("ul", { class: "violations" }, ...violations.slice(0, 50).map(violation))
        : element("p", { class: "said" }, problem.detail),
      violations.length > 50 ? element("p", {}, `\u2026 and ${count(violations.length - 50)} more.`) : "",
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
