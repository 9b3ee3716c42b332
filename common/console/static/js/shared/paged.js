// @ts-check
/** A list that is filtered by the form `#filters`, kept up to date, and as long as one scrolls: jobs, tasks. */

import { get, readable } from "../api.js";
import { errorState } from "../blocks.js";
import { byId, fill, setText } from "../dom.js";
import { plural } from "../format.js";
import { poll } from "../poll.js";
import { toastError } from "../toast.js";
import { endless, merged } from "./endless.js";
import { filters } from "./filters.js";

const EVERY_MS = 3000;
const PAGE = 100;
// Who scrolls far is not to wait for each hundred.
const OLDER_PAGE = 250;
const MOST_OLD = 20;

/**
 * @param {{name: "jobs" | "tasks", one: string, table: {element: HTMLElement, update: (rows: any[]) => void},
 *   onFilter?: () => void, onShow?: (rows: any[]) => void}} options `name` is that of the route, of the list in its answers and of the place in the page
 * @returns {{now: () => void, isFiltered: () => boolean}}
 */
export function paged({ name, one, table, onFilter = () => {}, onShow = () => {} }) {
  /** @type {any[]} */
  let rows = [];
  /** @type {string | null} */
  let next = null;
  let isAsking = false;
  // Which filter an answer belongs to.
  let turn = 0;
  const list = endless(name, table, more);
  let query = filters((now) => {
    query = now;
    turn += 1;
    [rows, next, isAsking] = [[], null, false];
    onFilter();
    look(new AbortController().signal).catch(toastError);
  });

  function show() {
    list.show(rows);
    onShow(rows);
    const rest = next ? "loaded; older ones come as you scroll" : "in all";
    setText(byId("count"), rows.length ? `${plural(rows.length, one)} ${rest}` : "");
  }

  /** @param {string | null} cursor */
  function address(cursor) {
    const asked = new URLSearchParams(query);
    asked.set("limit", String(cursor ? OLDER_PAGE : PAGE));
    if (cursor) asked.set("cursor", cursor);
    return `/${name}?${asked}`;
  }

  /** @param {AbortSignal} signal */
  async function look(signal) {
    const mine = turn;
    const page = await get(address(null), { signal });
    if (mine !== turn) return;
    const found = merged(rows, page[name], page.next === null);
    if (found.isReset) next = page.next;
    rows = found.rows;
    await refreshOld(new Set(page[name].map((/** @type {any} */ row) => row.id)), signal);
    if (mine !== turn) return;
    show();
    setText(byId("live"), "Live");
    byId("live").classList.remove("is-off");
  }

  /** Those in sight that are under way and older than the newest page. @param {Set<string>} fresh @param {AbortSignal} signal */
  async function refreshOld(fresh, signal) {
    const old = list.shown().filter((row) => !row.finished && !fresh.has(row.id)).slice(0, MOST_OLD);
    const now = await Promise.all(old.map((row) => get(`/${name}/${row.id}`, { signal }).catch(() => row)));
    const byName = new Map(now.map((row) => [row.id, row]));
    if (byName.size) rows = rows.map((row) => byName.get(row.id) ?? row);
  }

  async function more() {
    if (isAsking || !next) return;
    isAsking = true;
    const mine = turn;
    try {
      const page = await get(address(next));
      if (mine !== turn) return;
      const known = new Set(rows.map((row) => row.id));
      rows = [...rows, ...page[name].filter((/** @type {any} */ row) => !known.has(row.id))];
      next = page.next;
    } catch (error) {
      toastError(error);
      return;
    } finally {
      if (mine === turn) isAsking = false;
    }
    show();
  }

  const looking = poll(look, {
    everyMs: EVERY_MS,
    onError(error) {
      setText(byId("live"), readable(error).title);
      byId("live").classList.add("is-off");
      if (!rows.length) fill(byId(name), errorState(error, () => looking.now()));
    },
  });
  return { now: looking.now, isFiltered: () => query !== "" };
}
