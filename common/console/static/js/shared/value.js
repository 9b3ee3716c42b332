// @ts-check
/** A JSON value as people read it: scalars as facts, lists of objects as tables. */

import { facts } from "../blocks.js";
import { h } from "../dom.js";
import { NONE, number, plural } from "../format.js";

const MOST_ROWS = 200;
const MOST_COLUMNS = 30;

/** Whether it has no parts. @param {any} value */
export function isScalar(value) {
  return value === null || typeof value !== "object";
}

/** A value in a line. @param {any} value @returns {string} */
export function inLine(value) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : number(value, 6);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Columns of a list of objects, in the order in which they first appear. Pure. @param {any[]} rows @returns {string[]} */
export function columnsOf(rows) {
  const found = new Set();
  for (const row of rows) for (const name of Object.keys(row)) found.add(name);
  return [...found].slice(0, MOST_COLUMNS);
}

/** @param {any} value @param {string} [title] @returns {HTMLElement[]} */
export function valueView(value, title = "Values") {
  if (isScalar(value)) return [h("p", { class: "mono" }, inLine(value))];
  if (Array.isArray(value)) return [listView(value, title)];
  const entries = Object.entries(value);
  const flat = entries.filter(([, one]) => isScalar(one) || isShort(one));
  const deep = entries.filter(([, one]) => !(isScalar(one) || isShort(one)));
  return [
    ...(flat.length ? [facts(flat.map(([name, one]) => [name, inLine(one)]))] : []),
    ...deep.flatMap(([name, one]) => [h("h3", null, name), ...valueView(one, name)]),
  ];
}

/** @param {any} value */
function isShort(value) {
  const text = JSON.stringify(value);
  return text.length <= 80 && Object.values(value).every(isScalar) && Array.isArray(value);
}

/** @param {any[]} rows @param {string} title */
function listView(rows, title) {
  const shown = rows.slice(0, MOST_ROWS);
  const isTable = shown.length > 0 && shown.every((row) => !isScalar(row) && !Array.isArray(row));
  const columns = isTable ? columnsOf(shown) : ["value"];
  const cells = (/** @type {any} */ row) => columns.map((name) => h("td", null, inLine(isTable ? row[name] : row)));
  const table = h(
    "table",
    { class: "table" },
    h("caption", { class: "sr-only" }, title),
    h("thead", null, h("tr", null, ...columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, ...shown.map((row) => h("tr", null, ...cells(row)))),
  );
  const rest = rows.length > MOST_ROWS && h("p", { class: "hint" }, `${MOST_ROWS} of ${plural(rows.length, "row")}; the download has all.`);
  return h("div", { class: "stack" }, h("div", { class: "table-wrap framed", tabindex: 0, role: "region", "aria-label": title }, table), rest);
}
