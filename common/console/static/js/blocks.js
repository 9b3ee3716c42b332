// @ts-check
/** Parts that pages share: badges, progress, empty and error states, notices, code, facts. */

import { ApiError, readable } from "./api.js";
import { h, icon } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */

/** How states of models, jobs, tasks and clusters look. */
const TONES = {
  good: ["ready", "succeeded", "up", "active", "done", "delivered"],
  warn: ["loading", "retrying", "cancelling", "degraded", "held", "timed-out", "expired"],
  bad: ["unavailable", "failed", "dead", "down", "lost", "out-of-memory", "node-failed", "revoked"],
  info: ["running", "queued", "submitted", "pending", "preparing", "collecting"],
};
const LIVE = new Set(["running", "loading", "cancelling", "retrying", "collecting"]);

/** @param {string} state @returns {"good" | "warn" | "bad" | "info" | ""} */
export function toneOf(state) {
  const found = Object.entries(TONES).find(([, states]) => states.includes(state));
  return /** @type {any} */ (found?.[0] ?? "");
}

/** A state as a badge. @param {string} state @param {string} [label] */
export function stateBadge(state, label = state.replaceAll("-", " ").replaceAll("_", " ")) {
  return h("span", { class: `badge ${toneOf(state)}${LIVE.has(state) ? " is-live" : ""}` }, label);
}

/** A short word without a dot. @param {string} text @param {string} [tone] */
export function tag(text, tone = "") {
  return h("span", { class: `badge plain ${tone}` }, text);
}

/**
 * A bar: `value` of 1, null while it is unknown.
 * @param {number | null} value
 * @param {string} label what progresses, for screen readers
 */
export function progress(value, label) {
  const inner = h("span", value === null ? null : { style: { width: `${clamp(value) * 100}%` } });
  const told = value === null ? {} : { "aria-valuenow": Math.round(clamp(value) * 100) };
  return h(
    "div",
    {
      class: value === null ? "progress is-unknown" : "progress",
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      ...told,
    },
    inner,
  );
}

/** Nothing is there, and what to do. @param {string} title @param {string} [text] @param {...Child} actions */
export function emptyState(title, text = "", ...actions) {
  return h("div", { class: "state" }, icon("empty"), h("h3", null, title), text && h("p", null, text), ...actions);
}

/**
 * It went wrong. What is not there, or not allowed, is not asked for again.
 * @param {unknown} error @param {() => void} [again] @param {...Child} actions
 */
export function errorState(error, again, ...actions) {
  const { title, detail } = readable(error);
  const status = error instanceof ApiError ? error.status : 0;
  const isFinal = status === 403 || status === 404;
  const button = again && !isFinal && h("button", { type: "button", class: "button", onclick: again }, icon("refresh"), "Try again");
  const other = status === 403 && h("a", { class: "button", href: `/console/sign-in?next=${encodeURIComponent(location.pathname + location.search)}` }, "Sign in with another key");
  return h("div", { class: "state is-error", role: "alert" }, icon("error"), h("h3", null, title), h("p", null, ...prose(sentence(detail))), button, other, ...actions);
}

/** What the API says, as a sentence of a page; not where it begins with the name of a field. @param {string} text */
function sentence(text) {
  return /^[a-z]\S*[a-z] [^:]/.test(text) && !/^\S+:/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
}

/** Text in which `this` is code. @param {string} text @returns {Child[]} */
export function prose(text) {
  return text.split("`").map((part, at, all) => (at % 2 && at < all.length - 1 ? h("code", null, part) : at % 2 ? `\`${part}` : part));
}

/** Grey bars until an answer comes. @param {number} [rows] */
export function skeleton(rows = 3) {
  return h("div", { class: "skeleton", "aria-hidden": "true" }, ...Array.from({ length: rows }, () => h("span")));
}

/**
 * A message within the page.
 * @param {"info" | "good" | "warn" | "bad"} tone
 * @param {string} title
 * @param {Child} [text]
 * @param {...Child} actions
 */
export function notice(tone, title, text = null, ...actions) {
  const name = { info: "info", good: "check", warn: "warning", bad: "error" }[tone];
  return h("div", { class: `notice ${tone}` }, icon(name), h("div", { class: "notice-text" }, h("p", null, title), text && h("p", null, text)), ...actions);
}

/**
 * A link to a page of the console, where it has that section; else the text alone.
 * @param {string} section path of the page that stands in the navigation, e.g. `/console/jobs`
 * @param {string} path
 * @param {string} text
 */
export function pageLink(section, path, text) {
  const isThere = [...document.querySelectorAll(".nav a")].some((link) => link.getAttribute("href") === section);
  return isThere ? h("a", { class: "cell-link", href: path }, text) : h("span", null, text);
}

/** A list of terms and what they are. @param {[string, Child | Child[]][]} pairs */
export function facts(pairs) {
  return h("dl", { class: "facts" }, ...pairs.flatMap(([term, value]) => [h("dt", null, term), h("dd", null, ...[value].flat())]));
}

/** Text in a fixed font, with a button that copies it. @param {string} text @param {{wraps?: boolean, label?: string}} [options] */
export function code(text, { wraps = false, label = "Code" } = {}) {
  // Scrolled by keyboard too.
  const body = h("pre", { tabindex: 0, role: "region", "aria-label": label }, h("code", null, text));
  return h("div", { class: wraps ? "code wraps" : "code" }, body, copyButton(() => body.textContent ?? ""));
}

/** A button that copies what `text` gives. @param {() => string} text */
export function copyButton(text) {
  const button = h("button", { type: "button", class: "button ghost small square copy", "aria-label": "Copy" }, icon("copy"));
  button.addEventListener("click", async () => {
    const done = await copy(text());
    button.replaceChildren(icon(done ? "check" : "error"));
    button.setAttribute("aria-label", done ? "Copied" : "Could not be copied");
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.setAttribute("aria-label", "Copy");
    }, 1500);
  });
  return button;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not over https, or not allowed: as it was done before.
    const field = h("textarea", { "aria-hidden": "true", class: "sr-only" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** @param {number} value */
function clamp(value) {
  return Math.min(1, Math.max(0, value));
}
