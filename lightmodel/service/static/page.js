// Starts the page of a model; the facts about the model are in an attribute of <main>.

import { startFile } from "./file.js";
import { startRow } from "./row.js";

const facts = JSON.parse(document.querySelector("[data-facts]").dataset.facts);
startRow(facts);
startFile(facts);
for (const place of document.querySelectorAll("[data-address]")) {
  place.textContent = new URL(place.dataset.address, document.baseURI).href;
}
