// @ts-check
/** What a job answered: as a table, as JSON, and to download. */

import { get } from "../api.js";
import { code, emptyState, errorState, notice } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { bytes, dateTime } from "../format.js";
import { tabs } from "../tabs.js";
import { valueView } from "../shared/value.js";

// More than this is for programs.
const MOST_CHARS = 300_000;

/** @param {HTMLElement} place @param {any} job */
export async function showResult(place, job) {
  if (!job.finished) return fill(place, emptyState("No result yet", "It appears here when the job has finished."));
  if (job.state !== "succeeded") return fill(place, notice("bad", `The job is ${job.state}`, job.error));
  if (job.expires && new Date(job.expires) < new Date()) {
    return fill(place, emptyState("The result is kept no longer", `It was kept until ${dateTime(job.expires)}. Ask again for a new one.`));
  }
  const path = `/jobs/${encodeURIComponent(job.id)}/result`;
  try {
    const answer = /** @type {Response} */ (await get(path, { as: "response" }));
    const type = answer.headers.get("Content-Type") ?? "";
    const body = await answer.blob();
    const download = h("a", { class: "button small", href: path, download: fileName(job.id, type) }, icon("download"), `Download (${bytes(body.size)})`);
    const isText = /json|text|csv/.test(type);
    const text = isText ? await body.text() : "";
    fill(place, h("div", { class: "row spread" }, h("span", { class: "hint" }, type), download), view(text, type));
  } catch (error) {
    fill(place, errorState(error, () => showResult(place, job)));
  }
}

/** @param {string} id @param {string} type */
function fileName(id, type) {
  return `${id}.${type.includes("json") ? "json" : type.includes("csv") ? "csv" : "bin"}`;
}

/** @param {string} text @param {string} type */
function view(text, type) {
  if (!text) return h("p", { class: "muted" }, "It is no text; download it.");
  if (!type.includes("json")) return code(cut(text), { label: "Result" });
  const value = JSON.parse(text);
  return tabs(
    [
      { id: "table", title: "Table", panel: h("div", { class: "panel" }, ...valueView(value, "Result")) },
      { id: "json", title: "JSON", panel: h("div", null, code(cut(JSON.stringify(value, null, 2)), { label: "Result as JSON" })) },
    ],
    { label: "Result", parameter: "as" },
  );
}

/** @param {string} text */
function cut(text) {
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}\n… cut here; the download has all` : text;
}
