// What the page asks of the service, and what went wrong when it does not answer with rows.

import { found } from "./elements.js";

// Gives {row, header} for one row, or throws a problem.
export async function askForRow(record, explain) {
  const post = (query) =>
    fetch(`predict${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(record),
    });
  try {
    let response = await post(explain ? `?explain=${explain}` : "");
    if (explain && [400, 501].includes(response.status)) response = await post("");
    if (!response.ok) throw problemOf(response.status, await response.text());
    const [row] = await response.json();
    return { row, header: (name) => response.headers.get(name) ?? "" };
  } catch (error) {
    throw error.status === undefined ? SILENT : error;
  }
}

// Sends a file; `told` hears of bytes that are sent. Gives {answer, cancel}; answer is a promise.
export function askForFile(file, told) {
  const asked = new XMLHttpRequest();
  asked.open("POST", "predict");
  asked.responseType = "blob";
  asked.setRequestHeader("Accept", "text/csv");
  asked.upload.addEventListener("progress", (event) => told(event.loaded, event.total));
  const answer = new Promise((give, fail) => {
    asked.addEventListener("error", () => fail(CUT_OFF));
    asked.addEventListener("abort", () => fail(null));
    asked.addEventListener("load", async () => {
      if (asked.status !== 200) return fail(problemOf(asked.status, await asked.response.text()));
      give({ blob: asked.response, header: (name) => asked.getResponseHeader(name) ?? "" });
    });
  });
  const form = new FormData();
  form.append("file", file);
  asked.send(form);
  return { answer, cancel: () => asked.abort() };
}

const SILENT = { status: 0, detail: "The service did not answer. Is it still running?", violations: [] };
const CUT_OFF = {
  status: 0,
  detail: "The connection broke before there was an answer.",
  hint: "the file may be larger than the service takes, or have changed while it was sent",
  violations: [],
};

function problemOf(status, text) {
  try {
    const problem = JSON.parse(text);
    return { violations: [], ...problem, status, detail: problem.detail || problem.title };
  } catch {
    return { status, detail: `The service answered with status ${status}.`, violations: [] };
  }
}

// A model that was put in place after the page was opened answers with another version.
export function noteVersion(version, own) {
  if (!version || version === own) return;
  const note = found("newer");
  const link = document.createElement("a");
  link.href = "";
  link.textContent = "Open the page anew";
  note.replaceChildren(`A newer model has answered: ${version}. `, link, " for its fields and its card.");
  note.hidden = false;
}
