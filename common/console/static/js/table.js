// @ts-check
/** Tables whose rows stay what they are when the figures in them change: focus, selection and scroll are kept. */

import { fill, h } from "./dom.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: T) => import("./dom.js").Child | import("./dom.js").Child[]} cell
 * @property {(row: T) => string | number | null | undefined} [sortBy] makes the head a button
 * @property {boolean} [isNumber] at the right
 * @property {boolean} [isHead] names the row
 * @property {string} [hint] shown over the head
 * @property {boolean} [titleHidden] for screen readers only, as that of actions
 * @property {boolean} [isMinor] left out on phones, where it would push what matters out of sight
 */

/**
 * A table. `update` gives it rows; a cell is drawn anew only if what it shows has changed.
 *
 * @template T
 * @param {Column<T>[]} columns
 * @param {{key: (row: T) => string, caption: string, empty: () => Node, sort?: {column: number, down?: boolean},
 *   version?: (row: T) => unknown}} options `version` tells whether a row has changed; by default its JSON
 * @returns {{element: HTMLElement, update: (rows: T[]) => void}}
 */
export function table(columns, { key, caption, empty, sort, version = (row) => JSON.stringify(row) }) {
  /** @type {Map<string, {element: HTMLElement, version: unknown}>} */
  const kept = new Map();
  /** @type {T[]} */
  let rows = [];
  let order = sort ? { column: sort.column, down: sort.down ?? false } : null;
  const heads = columns.map((column, index) => head(column, index));
  const body = h("tbody");
  const grid = h("table", { class: "table" }, h("caption", { class: "sr-only" }, caption), h("thead", null, h("tr", null, ...heads)), body);
  const element = h("div");
  // Where it is wider than the page, it is scrolled by keyboard too.
  const wrap = h("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": caption }, grid);

  /** @param {Column<T>} column @param {number} index */
  function head(column, index) {
    const cell = h("th", { scope: "col", class: classOf(column), title: column.hint });
    if (column.titleHidden) fill(cell, h("span", { class: "sr-only" }, column.title));
    else if (!column.sortBy) fill(cell, column.title);
    else fill(cell, h("button", { type: "button", class: "sort", onclick: () => sortBy(index) }, column.title));
    return cell;
  }

  /** @param {number} index */
  function sortBy(index) {
    order = { column: index, down: order?.column === index ? !order.down : Boolean(columns[index].isNumber) };
    show();
  }

  function show() {
    heads.forEach((cell, index) => {
      if (order?.column === index) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    const shown = sorted(rows, order && columns[order.column].sortBy, order?.down ?? false);
    const elements = shown.map((row) => rowOf(row));
    const present = new Set(shown.map(key));
    for (const [name, entry] of kept) {
      if (!present.has(name)) {
        entry.element.remove();
        kept.delete(name);
      }
    }
    elements.forEach((row, index) => {
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    });
    if (rows.length && wrap.parentNode !== element) fill(element, wrap);
    else if (!rows.length) fill(element, empty());
  }

  /** @param {T} row */
  function rowOf(row) {
    const name = key(row);
    const now = version(row);
    const known = kept.get(name);
    if (known && known.version === now) return known.element;
    const cells = columns.map((column) => {
      const content = [column.cell(row)].flat();
      const properties = { class: classOf(column), ...(column.isHead ? { scope: "row" } : {}) };
      return h(column.isHead ? "th" : "td", properties, ...content);
    });
    const found = known ?? { element: h("tr"), version: now };
    found.version = now;
    const has = found.element.children;
    cells.forEach((cell, index) => {
      if (!has[index]) found.element.append(cell);
      else if (!has[index].isEqualNode(cell)) has[index].replaceWith(cell);
    });
    kept.set(name, found);
    return found.element;
  }

  return {
    element,
    update(given) {
      rows = given;
      show();
    },
  };
}

/** @param {{isNumber?: boolean, isMinor?: boolean}} column */
function classOf({ isNumber, isMinor }) {
  return [isNumber && "num", isMinor && "minor"].filter(Boolean).join(" ") || null;
}

/**
 * Rows by a value, those without one last. Pure.
 * @template T
 * @param {T[]} rows
 * @param {((row: T) => string | number | null | undefined) | null | undefined} by
 * @param {boolean} down
 */
export function sorted(rows, by, down) {
  if (!by) return rows;
  const sign = down ? -1 : 1;
  return [...rows].sort((first, second) => {
    const [a, b] = [by(first) ?? null, by(second) ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  });
}
