// @ts-check
/** The log of a task, followed by its bytes; of an array that of an element, of an earlier attempt that one. */

import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { logView } from "../shared/log.js";

/** @param {HTMLElement} place @param {string} path of the task */
export function followLog(place, path) {
  const element = h("select", { class: "input", "aria-label": "Element" });
  const attempt = h("select", { class: "input", "aria-label": "Attempt" });
  const whole = h("a", { class: "button small" }, icon("download"), "Download");
  const choice = h("div", { class: "row spread" }, h("div", { class: "row" }, element, attempt, whole));
  const body = h("div", { class: "panel" });
  fill(place, choice, body);
  const view = logView(body, { label: "Log of the task", empty: "What the program prints appears here.", bar: choice });
  let offset = 0;
  let isComplete = false;
  let shown = "";
  let text = new TextDecoder();
  let choices = "";
  let ofAttempt = 0;

  function begin() {
    [offset, isComplete, text] = [0, false, new TextDecoder()];
    view.clear();
  }

  /** @param {any} task */
  function offer(task) {
    const now = `${task.elements.length} ${task.attempt}`;
    if (now === choices) return;
    if (ofAttempt && ofAttempt !== task.attempt) begin();
    [choices, ofAttempt] = [now, task.attempt];
    fill(element, ...task.elements.map((/** @type {any} */ one) => h("option", { value: one.index }, `Element ${one.index}`)));
    element.hidden = !task.elements.length;
    const earlier = task.earlier.map((/** @type {any} */ one) => one.attempt);
    fill(attempt, h("option", { value: "" }, `Attempt ${task.attempt}`), ...earlier.map((/** @type {number} */ one) => h("option", { value: one }, `Attempt ${one}`)));
    attempt.hidden = !earlier.length;
  }

  function query() {
    const asked = new URLSearchParams();
    if (element.value) asked.set("element", element.value);
    if (attempt.value) asked.set("attempt", attempt.value);
    return asked;
  }

  return {
    /**
     * Read what is new.
     * @param {any} task @param {AbortSignal} signal
     * @returns {Promise<boolean>} whether nothing more will come
     */
    async read(task, signal) {
      offer(task);
      const asked = query();
      if (asked.toString() !== shown) {
        shown = asked.toString();
        begin();
      }
      // The browser asks for the whole of it, a megabyte at most.
      whole.setAttribute("href", `${path}/logs?${asked}`);
      whole.setAttribute("download", "task.log");
      while (!isComplete) {
        asked.set("offset", String(offset));
        const answer = /** @type {Response} */ (await get(`${path}/logs?${asked}`, { as: "response", signal }));
        const bytes = await answer.arrayBuffer();
        view.append(text.decode(bytes, { stream: true }));
        offset = Number(answer.headers.get("X-Log-Next") ?? offset + bytes.byteLength);
        isComplete = answer.headers.get("X-Log-Complete") === "true";
        if (!bytes.byteLength) break;
      }
      return isComplete;
    },
    /** @param {() => void} changed */
    onChoice(changed) {
      element.addEventListener("change", changed);
      attempt.addEventListener("change", changed);
    },
  };
}
