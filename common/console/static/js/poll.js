// @ts-check
/** Asking again and again: not while nobody looks, and less often while it fails. */

import { ApiError, isAborted } from "./api.js";

const LONGEST_MS = 60_000;
// A server that is down has no load to be spared, and whoever started it anew is looking.
const LONGEST_DOWN_MS = 10_000;

/**
 * How long to wait after `failures` failures in a row. Pure.
 * @param {number} everyMs
 * @param {number} failures
 * @param {number | null} retryAfterS what the server asked for
 * @param {boolean} isDown nothing answered
 */
export function delayMs(everyMs, failures, retryAfterS = null, isDown = false) {
  const longest = Math.max(everyMs, isDown ? LONGEST_DOWN_MS : LONGEST_MS);
  const backedOff = Math.min(longest, everyMs * 2 ** failures);
  return Math.max(backedOff, (retryAfterS ?? 0) * 1000);
}

/**
 * Call `task` now, and `everyMs` after it has ended, until it returns `false` or `stop` is called.
 *
 * @param {(signal: AbortSignal) => Promise<unknown>} task gets a signal that is set when the page leaves or it is stopped
 * @param {{everyMs: number, onError?: (error: unknown) => void}} options
 * @returns {{stop: () => void, now: () => void}}
 */
export function poll(task, { everyMs, onError = () => {} }) {
  const ended = new AbortController();
  let failures = 0;
  let running = false;
  /** @type {number | undefined} */
  let timer;

  async function round() {
    if (running || ended.signal.aborted) return;
    running = true;
    clearTimeout(timer);
    /** @type {number | null} */
    let retryAfterS = null;
    let isDown = false;
    try {
      const goesOn = await task(ended.signal);
      failures = 0;
      if (goesOn === false) stop();
    } catch (error) {
      if (!isAborted(error) && !ended.signal.aborted) {
        failures += 1;
        retryAfterS = error instanceof ApiError ? error.retryAfterS : null;
        isDown = error instanceof ApiError && error.status === 0;
        onError(error);
      }
    }
    running = false;
    plan(retryAfterS, isDown);
  }

  /** @param {number | null} [retryAfterS] @param {boolean} [isDown] */
  function plan(retryAfterS = null, isDown = false) {
    clearTimeout(timer);
    if (ended.signal.aborted || document.hidden) return;
    timer = setTimeout(round, delayMs(everyMs, failures, retryAfterS, isDown));
  }

  function look() {
    if (document.hidden) clearTimeout(timer);
    else round();
  }

  function stop() {
    ended.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    removeEventListener("pagehide", stop);
  }

  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", stop);
  // A page that comes back from the browser's memory begins anew.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  round();
  return { stop, now: round };
}
