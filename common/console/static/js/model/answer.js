// @ts-check
/** An answer: as tables, as JSON, and as the request that asked for it. */

import { code, emptyState, facts } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { duration, integer, NONE, number, plural } from "../format.js";
import { table } from "../table.js";
import { tabs } from "../tabs.js";
import { download } from "./download.js";
import { csvOf, flatten } from "./flat.js";
import { curlOf, pythonOf } from "./snippets.js";

/** Rows beyond are in the file. */
const MOST_ROWS = 500;

/** @typedef {{answer: any, seconds: number | null, headers: Headers | null, asked: import("./snippets.js").Asked}} Answered */

/** @param {Answered} answered @param {string} name of the model, for files @param {{id: string, title: string, panel: HTMLElement, onShow?: () => void}[]} [first] tabs before */
export function answerView(answered, name, first = []) {
  const { answer, asked } = answered;
  const view = tabs(
    [
      ...first,
      { id: "table", title: "Table", panel: h("div", { class: "stack" }, ...sheetsView(answer, name)) },
      { id: "json", title: "JSON", panel: code(JSON.stringify(answer, null, 2), { label: "Answer as JSON" }) },
      { id: "curl", title: "curl", panel: code(curlOf(asked), { wraps: true, label: "Request for curl" }) },
      { id: "python", title: "Python", panel: code(pythonOf(asked), { wraps: true, label: "Request in Python" }) },
    ],
    { label: "Answer as", parameter: "" },
  );
  return h("div", { class: "stack" }, meta(answered), view);
}

/** @param {Answered} answered */
function meta({ seconds, headers }) {
  const told = [
    seconds !== null && `Answered in ${duration(seconds)}`,
    headers?.get("X-Cache") && `cache: ${headers.get("X-Cache")}`,
    headers?.get("X-Model-Version") && `version ${headers.get("X-Model-Version")}`,
  ].filter(Boolean);
  return h("p", { class: "hint", role: "status" }, told.join(" · "));
}

/** @param {any} answer @param {string} name */
function sheetsView(answer, name) {
  const { facts: told, sheets } = flatten(answer);
  if (!told.length && !sheets.length) return [emptyState("An empty answer")];
  return [
    told.length > 0 && facts(told.map(([term, value]) => [term, shown(value)])),
    ...sheets.map((sheet, index) => sheetView(sheet, `${name}-${index + 1}.csv`)),
  ].filter(Boolean);
}

/** @param {import("./flat.js").Sheet} sheet @param {string} filename */
function sheetView(sheet, filename) {
  const isNumber = sheet.columns.map((_, at) => sheet.rows.every((row) => row[at] === null || typeof row[at] === "number"));
  const rows = sheet.rows.slice(0, MOST_ROWS).map((cells, index) => ({ cells, index }));
  const made = table(
    sheet.columns.map((title, at) => ({
      title: title || "Item",
      titleHidden: !title,
      isNumber: isNumber[at],
      isHead: at === 0,
      sortBy: (/** @type {any} */ row) => sortable(row.cells[at]),
      cell: (/** @type {any} */ row) => shown(row.cells[at]),
    })),
    { key: (row) => String(row.index), caption: sheet.title || "Answer", empty: () => emptyState("No rows"), version: (row) => row.index },
  );
  made.update(rows);
  const save = h("button", { type: "button", class: "button small", onclick: () => download(filename, csvOf(sheet)) }, icon("download"), "CSV");
  const more = sheet.rows.length > MOST_ROWS ? `The first ${integer(MOST_ROWS)} of ${plural(sheet.rows.length, "row")}; the file has all.` : plural(sheet.rows.length, "row");
  return h("section", { class: "stack tight" }, h("div", { class: "row spread" }, h("h3", { class: "sheet-title" }, sheet.title || "Answer"), save), made.element, h("p", { class: "hint" }, more));
}

/** @param {any} value */
function sortable(value) {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : typeof value === "boolean" ? String(value) : value;
}

/** @param {any} value */
function shown(value) {
  if (value === null || value === undefined) return NONE;
  // A whole number may be a year or a code: as it is.
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : number(value, 5);
  if (typeof value === "object") return h("code", { class: "cell-json" }, JSON.stringify(value));
  return String(value);
}

/** @param {HTMLElement} place */
export function nothingYet(place) {
  fill(place, emptyState("No answer yet", "Fill in the form and run it. Ctrl and Enter run it too."));
}
