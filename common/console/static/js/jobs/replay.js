// @ts-check
/** Running jobs again that failed for good. */

import { get, isAborted, readable, send } from "../api.js";
import { ask } from "../dialog.js";
import { plural } from "../format.js";
import { toast } from "../toast.js";

const AT_ONCE = 4;
const PAGE = 500;

/** @param {{state: string}} job */
export function canReplay(job) {
  return job.state === "failed" || job.state === "dead";
}

/** Ask, and run these again. @param {string[]} ids @returns {Promise<boolean>} whether it was done */
export async function replay(ids) {
  const told = `${plural(ids.length, "job")} will be queued again, each with the request that it had and as many attempts as a new one. What they did so far stays in their attempts.`;
  if (!(await ask({ title: `Run ${plural(ids.length, "job")} again?`, text: told, confirm: "Run again" }))) return false;
  const waiting = [...ids];
  /** @type {string[]} */
  const refused = [];
  const worker = async () => {
    for (let id = waiting.shift(); id; id = waiting.shift()) {
      try {
        await send("POST", `/jobs/${id}/retry`);
      } catch (error) {
        if (isAborted(error)) return;
        refused.push(readable(error).detail);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const done = ids.length - refused.length;
  if (done) toast(`${plural(done, "job")} queued again`, { kind: "good" });
  if (refused.length) toast(`${plural(refused.length, "job")} could not be run again`, { kind: "bad", detail: [...new Set(refused)].slice(0, 3).join("; ") });
  return true;
}

/** All dead ones, however many pages of them. */
export async function replayAllDead() {
  /** @type {string[]} */
  const ids = [];
  /** @type {string | null} */
  let cursor = null;
  try {
    do {
      const page = await get(`/jobs?state=dead&limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      ids.push(...page.jobs.map((/** @type {any} */ job) => job.id));
      cursor = page.next;
    } while (cursor);
  } catch (error) {
    const { title, detail } = readable(error);
    toast(title, { kind: "bad", detail });
    return;
  }
  if (!ids.length) toast("No job is dead", { detail: "Dead are jobs whose attempts are used up." });
  else await replay(ids);
}
