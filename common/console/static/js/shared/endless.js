// @ts-check
/**
 * Long lists, newest first: only rows near the window are in the page, and older ones are asked for when the end comes
 * near. So ten thousand rows scroll like fifty.
 */

import { byId, fill } from "../dom.js";

// As high as `.endless .table` has its rows.
const ROW_PX = 52;
const MARGIN_ROWS = 30;
// How far before the end older rows are asked for; fewer than a first page has left.
const AHEAD_ROWS = 40;

/**
 * Rows after a look at the newest of them. Pure.
 *
 * Those that the look covers are as it says; older ones stay. Where nothing overlaps, only the look counts.
 * @template {{id: string}} T
 * @param {T[]} known @param {T[]} head the newest page @param {boolean} isAll whether there are none behind it
 * @returns {{rows: T[], isReset: boolean}} `isReset` where what is behind the head has to be asked for anew
 */
export function merged(known, head, isAll) {
  const last = head.at(-1);
  if (isAll || !last) return { rows: head, isReset: true };
  const at = known.findIndex((row) => row.id === last.id);
  return at < 0 ? { rows: head, isReset: true } : { rows: [...head, ...known.slice(at + 1)], isReset: false };
}

/** Which rows are near the window: first, and the one behind the last. Pure. @param {number} count @param {number} abovePx @param {number} windowPx */
export function near(count, abovePx, windowPx) {
  const first = Math.max(0, Math.min(count, Math.floor(abovePx / ROW_PX) - MARGIN_ROWS));
  const behind = Math.min(count, Math.max(0, Math.ceil((abovePx + windowPx) / ROW_PX)) + MARGIN_ROWS);
  return [first, Math.max(first, behind)];
}

/**
 * @template {{id: string}} T
 * @param {string} id where it stands
 * @param {{element: HTMLElement, update: (rows: T[]) => void}} table
 * @param {() => void} more asks for older rows; may be called again while it does
 * @returns {{show: (rows: T[]) => void, shown: () => T[]}}
 */
export function endless(id, table, more) {
  const place = byId(id);
  /** @type {T[]} */
  let rows = [];
  let [first, behind] = [0, 0];
  let isPlanned = false;

  function draw() {
    const above = -place.getBoundingClientRect().top;
    [first, behind] = near(rows.length, above, innerHeight);
    table.update(rows.slice(first, behind));
    table.element.style.paddingTop = `${first * ROW_PX}px`;
    table.element.style.paddingBottom = `${(rows.length - behind) * ROW_PX}px`;
    if (table.element.parentElement !== place) fill(place, table.element);
    if (rows.length && behind >= rows.length - AHEAD_ROWS) more();
  }

  function plan() {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      draw();
    });
  }

  addEventListener("scroll", plan, { passive: true });
  addEventListener("resize", plan);
  return {
    show(given) {
      rows = given;
      draw();
    },
    shown: () => rows.slice(first, behind),
  };
}
