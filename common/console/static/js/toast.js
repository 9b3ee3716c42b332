// @ts-check
/** Messages at the edge of the page. Errors stay until they are closed; a screen reader reads all of them. */

import { readable } from "./api.js";
import { byId, h, icon } from "./dom.js";

const SHOWN_MS = 6000;
const MOST = 4;
const ICONS = { good: "check", bad: "error", warn: "warning", info: "info" };

/**
 * @param {string} message
 * @param {{kind?: "good" | "bad" | "warn" | "info", detail?: string, action?: {label: string, run: () => void}}} [options]
 * @returns {() => void} closes it
 */
export function toast(message, { kind = "info", detail = "", action } = {}) {
  const region = byId("toasts");
  const close = () => element.remove();
  const element = h(
    "div",
    { class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status" },
    icon(ICONS[kind]),
    h("div", { class: "toast-text" }, h("p", null, message), detail && h("p", null, detail)),
    action &&
      h("button", { type: "button", class: "button small", onclick: () => (close(), action.run()) }, action.label),
    h("button", { type: "button", class: "button ghost small square", "aria-label": "Close", onclick: close }, icon("close")),
  );
  region.append(element);
  // Shown anew, it is above a dialog that was opened since.
  region.hidePopover?.();
  region.showPopover?.();
  while (region.childElementCount > MOST) region.firstElementChild?.remove();
  if (kind !== "bad") setTimeout(close, SHOWN_MS);
  return close;
}

/** Tell what went wrong. @param {unknown} error */
export function toastError(error) {
  const { title, detail } = readable(error);
  return toast(title, { kind: "bad", detail });
}

/**
 * Make a change, and tell how that ended.
 * @param {() => Promise<unknown>} change
 * @param {string} done what is told where it was made
 * @param {"good" | "info"} [kind] `info` where it has only begun
 */
export async function attempt(change, done, kind = "good") {
  try {
    await change();
    toast(done, { kind });
  } catch (error) {
    toastError(error);
  }
}

/** Put the page's address into the clipboard, and say so. */
export async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    toast("Link copied", { kind: "good" });
  } catch {
    toast("The link is in the address bar", { detail: "This browser does not let the page copy it." });
  }
}
