// The page without a model: checks regularly whether there is one, and opens it.

const INTERVAL_MS = 3000;

async function check() {
  try {
    const ready = await fetch("ready", { cache: "no-store" });
    if (ready.ok) return location.reload();
  } catch {
    // the service may be restarting
  }
  setTimeout(check, INTERVAL_MS);
}

setTimeout(check, INTERVAL_MS);
