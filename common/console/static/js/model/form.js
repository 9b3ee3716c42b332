// @ts-check
/** A form for a route: its fields, which of them are asked for, their choices, and what was wrong with them. */

import { get, isAborted, send } from "../api.js";
import { prose } from "../blocks.js";
import { fill, h, setText, uniqueId } from "../dom.js";
import { controlOf } from "./controls.js";
import { isAsked, optionsOf } from "./spec.js";

/** @typedef {import("./spec.js").Field} Field */
/** @typedef {{body: Record<string, any>, query: Record<string, any>}} Values */
/** @typedef {{field: Field, control: import("./controls.js").Control, element: HTMLElement, hint: HTMLElement, error: HTMLElement, asked: string}} Part */

const SETTLED_MS = 250;
/** Kinds that always show a value; of the others the fallback is shown where they are empty. */
const STANDS_THERE = new Set(["boolean", "enum", "many"]);

/**
 * @param {Field[]} fields
 * @param {{onChange?: () => void, moreLabel?: string}} [options] `moreLabel` heads the fields that are not of the body
 */
export function formOf(fields, { onChange = () => {}, moreLabel = "Options" } = {}) {
  const summary = h("div", { class: "form-summary", role: "alert" });
  const parts = fields.map((field) => partOf(field));
  const ofBody = parts.filter(({ field }) => field.place === "body");
  const ofQuery = parts.filter(({ field }) => field.place === "query");
  const more = ofQuery.length > 0 && h("details", { class: "more" }, h("summary", null, moreLabel), h("div", { class: "form" }, ...ofQuery.map(({ element }) => element)));
  const element = h("div", { class: "form" }, summary, ...ofBody.map(({ element: one }) => one), more);
  /** @type {number | undefined} */
  let timer;

  /** @param {Field} field @returns {Part} */
  function partOf(field) {
    const id = uniqueId("field");
    const hint = h("p", { class: "field-hint", id: `${id}-hint` }, ...prose(hintOf(field)));
    const error = h("p", { class: "field-error", id: `${id}-error` });
    const control = controlOf(field, id, `${id}-hint ${id}-error`, () => changed(part));
    const label =
      field.kind === "boolean"
        ? null
        : h("label", { for: id }, field.label, field.required && h("span", { class: "required", "aria-hidden": "true" }, " *"));
    const outer = h("div", { class: "field", dataset: { field: field.name } }, label, control.element, hint, error);
    const part = { field, control, element: outer, hint, error, asked: "" };
    return part;
  }

  /** @param {Part} part */
  function changed(part) {
    mark(part, "");
    refresh();
    onChange();
  }

  /** What stands in the fields as it is, wrong ones left out. */
  function draft() {
    /** @type {Record<string, any>} */
    const found = {};
    for (const { field, control } of parts) {
      try {
        found[field.name] = control.get();
      } catch {
        // Said when it is sent.
      }
    }
    return found;
  }

  function refresh() {
    const now = draft();
    for (const { field, element: one } of parts) one.hidden = !isAsked(field, now);
    clearTimeout(timer);
    timer = setTimeout(() => parts.forEach((part) => loadChoices(part, now)), SETTLED_MS);
  }

  /** @param {Part} part @param {Record<string, any>} now */
  async function loadChoices(part, now) {
    const { choices } = part.field;
    if (!choices || part.element.hidden) return;
    const missing = choices.needs.filter((name) => now[name] === undefined);
    if (missing.length) {
      part.asked = "";
      part.control.setOptions?.([]);
      const labels = missing.map((name) => fields.find((one) => one.name === name)?.label ?? name);
      setText(part.hint, `First choose: ${labels.join(", ")}. Or type what you know.`);
      return;
    }
    const given = Object.fromEntries(choices.inputs.filter((name) => now[name] !== undefined && name !== part.field.name).map((name) => [name, now[name]]));
    const asked = JSON.stringify(given);
    if (asked === part.asked) return;
    part.asked = asked;
    setText(part.hint, "Loading choices…");
    try {
      const query = new URLSearchParams(Object.entries(given).map(([name, value]) => [name, String(value)])).toString();
      const answer =
        choices.method === "GET" ? await get(query ? `${choices.endpoint}?${query}` : choices.endpoint) : await send("POST", choices.endpoint, given);
      if (part.asked !== asked) return;
      const options = optionsOf(answer);
      part.control.setOptions?.(options);
      fill(part.hint, ...prose(options.length ? hintOf(part.field) : "There is nothing to choose from for these inputs."));
    } catch (error) {
      if (isAborted(error) || part.asked !== asked) return;
      part.asked = "";
      setText(part.hint, `The choices could not be loaded: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {Part} part @param {string} message */
  function mark(part, message) {
    setText(part.error, message);
    if (message) part.control.focus.setAttribute("aria-invalid", "true");
    else part.control.focus.removeAttribute("aria-invalid");
  }

  function clear() {
    fill(summary);
    parts.forEach((part) => mark(part, ""));
  }

  /** Go to the first field that is marked. */
  function focusFirst() {
    const first = parts.find(({ error, element: one }) => error.textContent && !one.hidden);
    first?.element.closest("details")?.setAttribute("open", "");
    first?.control.focus.focus();
  }

  /**
   * All that is to be sent; null where something is missing or wrong, which is then marked.
   * @param {{quiet?: boolean}} [options] `quiet` marks nothing
   * @returns {Values | null}
   */
  function values({ quiet = false } = {}) {
    if (!quiet) clear();
    /** @type {Values} */
    const found = { body: {}, query: {} };
    let isWhole = true;
    for (const part of parts) {
      if (part.element.hidden) continue;
      let value;
      let message = "";
      try {
        value = part.control.get();
        const isNeeded = part.field.required || part.field.requiredIf.length > 0;
        if (isNeeded && value === undefined) message = "This is needed.";
      } catch (error) {
        message = /** @type {Error} */ (error).message;
      }
      if (message) isWhole = false;
      if (message && !quiet) mark(part, message);
      // What the API takes anyway is not repeated.
      if (value !== undefined && (part.field.required || !same(value, part.field.fallback))) found[part.field.place][part.field.name] = value;
    }
    if (!isWhole && !quiet) focusFirst();
    return isWhole ? found : null;
  }

  /** @param {Partial<Values>} given what is not named is emptied */
  function set(given) {
    clear();
    for (const { field, control } of parts) control.set(given[field.place]?.[field.name] ?? (STANDS_THERE.has(field.kind) ? field.fallback : null));
    refresh();
    onChange();
  }

  /**
   * Show what the API says of single fields at these; the rest at the head of the form.
   * @param {import("../api.js").ApiError} error
   */
  function showErrors(error) {
    clear();
    const others = [];
    for (const { field, message } of error.errors) {
      const [place, name] = field.includes(".") ? field.split(".") : ["body", field];
      const part = parts.find((one) => one.field.name === name && one.field.place === place) ?? parts.find((one) => one.field.name === name);
      if (part && !part.element.hidden) mark(part, message);
      else others.push(`${field}: ${message}`);
    }
    if (!error.errors.length) others.push(error.detail || error.title);
    fill(summary, ...others.map((text) => h("p", { class: "field-error" }, text)));
    focusFirst();
  }

  refresh();
  return { element, values, set, showErrors, clear };
}

/** @param {Field} field */
function hintOf(field) {
  const { minimum, maximum, kind, description } = field;
  const already = description.includes(String(minimum)) && description.includes(String(maximum));
  const list = kind === "numbers" ? "Numbers, with commas between them." : "";
  return [description, already ? "" : boundsText(field), list].filter(Boolean).join(" ");
}

/** "1 to 100.", "More than 0, at most 1." @param {Field} field */
function boundsText({ minimum, maximum, above, below }) {
  if (minimum !== null && maximum !== null) return `${bound(minimum)} to ${bound(maximum)}.`;
  const least = minimum !== null ? `at least ${bound(minimum)}` : above !== null ? `more than ${bound(above)}` : "";
  const most = maximum !== null ? `at most ${bound(maximum)}` : below !== null ? `less than ${bound(below)}` : "";
  const text = [least, most].filter(Boolean).join(", ");
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** Large ones with commas; not years. @param {number} value */
function bound(value) {
  return Math.abs(value) < 10_000 ? String(value) : value.toLocaleString("en", { maximumFractionDigits: 20 });
}

/** @param {any} first @param {any} second */
function same(first, second) {
  return JSON.stringify(first) === JSON.stringify(second);
}
