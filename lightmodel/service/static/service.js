// The page's requests to the service, and the problems that they may end in.

import { byId } from "./elements.js";

// Returns {row, header} for one row, or throws a problem.
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
    throw error.status === undefined ? NO_ANSWER : error;
  }
}

// Sends a file, and calls `onProgress` with bytes sent and total. Returns {answer, cancel}; `answer` is a promise.
export function askForFile(file, onProgress) {
  const request = new XMLHttpRequest();
  request.open("POST", "predict");
  request.responseType = "blob";
  request.setRequestHeader("Accept", "text/csv");
  request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
  const answer = new Promise((resolve, reject) => {
    request.addEventListener("error", () => reject(CUT_OFF));
    request.addEventListener("abort", () => reject(null));
    request.addEventListener("load", async () => {
      if (request.status !== 200) return reject(problemOf(request.status, await request.response.text()));
      resolve({ blob: request.response, header: (name) => request.getResponseHeader(name) ?? "" });
    });
  });
  const form = new FormData();
  form.append("file", file);
  request.send(form);
  return { answer, cancel: () => request.abort() };
}

const NO_ANSWER = { status: 0, detail: "The service did not answer. Is it still running?", violations: [] };
const CUT_OFF = {
  status: 0,
  detail: "The connection broke before there was an answer.",
  hint: "the file may exceed the service's size limit, or have changed during the upload",
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

// A model that was deployed after the page was opened answers with another version.
export function noteVersion(version, pageVersion) {
  if (!version || version === pageVersion) return;
  const note = byId("newer");
  const link = document.createElement("a");
  link.href = "";
  link.textContent = "Reload the page";
  note.replaceChildren(`A newer model is serving: ${version}. `, link, " to see its fields and details.");
  note.hidden = false;
}
