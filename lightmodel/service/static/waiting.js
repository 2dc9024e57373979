// The page without a model: asks now and then whether one is there, and opens it.

const EVERY_MS = 3000;

async function look() {
  try {
    const ready = await fetch("ready", { cache: "no-store" });
    if (ready.ok) return location.reload();
  } catch {
    // the service may be starting anew
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
