// @ts-check
/** How long a request will take, where the model can tell. */

import { isAborted, send } from "../api.js";
import { setText } from "../dom.js";
import { duration } from "../format.js";

const SETTLED_MS = 500;

/**
 * @param {HTMLElement} place @param {string | null} path of the route that tells; null for none
 * @param {() => Record<string, any> | null} body null while something is missing
 * @returns {() => void} to be called whenever the inputs have changed
 */
export function estimator(place, path, body) {
  if (path === null) return () => {};
  /** @type {number | undefined} */
  let timer;
  let asked = "";

  async function tell() {
    const given = body();
    const now = JSON.stringify(given);
    if (now === asked) return;
    asked = now;
    if (given === null) {
      setText(place, "");
      return;
    }
    try {
      const seconds = await send("POST", /** @type {string} */ (path), given);
      if (asked === now) setText(place, typeof seconds === "number" ? `Takes about ${duration(seconds)}` : "");
    } catch (error) {
      // What is wrong is said when it is run.
      if (!isAborted(error) && asked === now) setText(place, "");
    }
  }

  return () => {
    clearTimeout(timer);
    timer = setTimeout(tell, SETTLED_MS);
  };
}
