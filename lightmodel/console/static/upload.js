// Sends a file to the console, which passes it on to the service while it arrives; Python gets the outcome.

const COUNT = new Intl.NumberFormat("en-US");
const uploads = new WeakMap(); // element → what is being sent

const megabytes = (bytes) => (bytes < 1e6 ? `${COUNT.format(Math.ceil(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`);
const failure = (message, hint) => ({ failure: { message, hint, status: 0, rules: [], more_rules: 0 } });
const BROKEN = failure("The connection broke before there was an answer.", "Try again; the file may have changed during the upload.");

export default function show({ parentElement: place, data, setTriggerValue }) {
  const part = (selector) => place.querySelector(selector);
  const [zone, input, status] = [part(".drop"), part("input"), part("[role=status]")];
  part(".about").textContent = data.about;
  input.setAttribute("aria-label", data.label);

  const finish = (outcome) => {
    uploads.delete(place);
    part(".sending").hidden = true;
    status.textContent = outcome ? "" : "Cancelled.";
    if (outcome) setTriggerValue("outcome", { ...outcome, at: Date.now() });
  };

  const progress = (file, sent, total) => {
    part(".sending").hidden = false;
    const stage = sent < total ? "Uploading" : data.working;
    part(".stage").textContent = sent < total ? `Uploading ${file.name}: ${megabytes(sent)} of ${megabytes(total)}` : `${stage} ${file.name}\u2026`;
    const bar = part("progress");
    if (sent < total) bar.value = sent / total;
    else bar.removeAttribute("value");
    if (status.textContent !== `${stage}.`) status.textContent = `${stage}.`;
  };

  const send = async (file) => {
    uploads.get(place)?.abort();
    if (file.size === 0) return finish(failure(`${file.name} is empty.`, "Choose another file."));
    if (file.size > data.max_mb * 2 ** 20) {
      const limit = `The service takes files of up to ${COUNT.format(data.max_mb)} MB.`;
      return finish(failure(`${file.name} is too large: ${megabytes(file.size)}.`, `${limit} Send it in parts, or as .csv.gz or Parquet.`));
    }
    progress(file, 0, file.size);
    const request = new XMLHttpRequest();
    uploads.set(place, request);
    const current = () => uploads.get(place) === request;
    const headers = { "X-Ticket": data.ticket, "X-File-Name": encodeURIComponent(file.name) };
    try {
      const check = await fetch(data.address, { headers, cache: "no-store" });
      if (!current()) return;
      if (!check.ok) return finish(await outcomeOf(await check.text(), check.status));
    } catch {
      return current() ? finish(failure("The console does not answer.", "Try again in a moment.")) : undefined;
    }
    request.open("POST", data.address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => current() && progress(file, event.loaded, event.total);
    request.onerror = () => current() && finish(BROKEN);
    request.onabort = () => current() && finish(null);
    request.onload = () => current() && finish(outcomeOf(request.responseText, request.status));
    request.send(file);
  };

  input.onchange = () => {
    const [file] = input.files;
    if (file) send(file);
    input.value = ""; // so that choosing the same file again is a change
  };
  part("button").onclick = () => {
    const request = uploads.get(place);
    if (request?.readyState > 0) request.abort();
    else finish(null);
  };
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length === 1) send(files[0]);
    if (files.length > 1) finish(failure("Files are sent one at a time.", "Choose one of them."));
  };
  return () => uploads.get(place)?.abort();
}

function outcomeOf(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return failure(`The console answered with status ${status}.`, "Try again; if it goes on, tell its operator.");
  }
}
