// @ts-check
/** One control for each kind of field. `get` gives the value, undefined for none; it throws what people can read. */

import { fill, h, icon } from "../dom.js";
import { combobox } from "./combobox.js";

/** @typedef {import("./spec.js").Field} Field */
/** @typedef {import("./combobox.js").Option} Option */
/**
 * @typedef {object} Control
 * @property {HTMLElement} element
 * @property {HTMLElement} focus what gets the focus, and is marked where the value is wrong
 * @property {() => any} get
 * @property {(value: any) => void} set
 * @property {(options: Option[]) => void} [setOptions]
 */

/**
 * @param {Field} field @param {string} id @param {string} describedBy @param {() => void} onChange
 * @returns {Control}
 */
export function controlOf(field, id, describedBy, onChange) {
  const common = { id, "aria-describedby": describedBy, "aria-required": field.required ? "true" : null };
  if (field.kind === "boolean") return checkbox(field, common, onChange);
  if (field.kind === "enum") return select(field, common, onChange);
  if (field.kind === "many") return field.choices ? chips(field, id, describedBy, onChange) : checks(field, id, onChange);
  if (field.kind === "lines") return area(common, onChange, { get: lines, set: (value) => value.join("\n"), placeholder: "One a line" });
  if (field.kind === "json") return area({ ...common, class: "input mono", spellcheck: "false" }, onChange, { get: json, set: (value) => JSON.stringify(value, null, 2), placeholder: field.example === null ? "JSON" : `e.g. ${JSON.stringify(field.example)}` });
  if (field.choices) return choice(field, id, describedBy, onChange);
  return line(field, common, onChange);
}

/** @param {Field} field @param {Record<string, any>} common @param {() => void} onChange @returns {Control} */
function line(field, common, onChange) {
  const isNumber = field.kind === "number" || field.kind === "integer";
  const placeholder = placeholderOf(field);
  const input = h("input", {
    ...common, class: "input", type: "text", placeholder, autocomplete: "off",
    inputmode: isNumber ? "decimal" : null,
  });
  input.addEventListener("input", onChange);
  return {
    element: input,
    focus: input,
    get() {
      const text = input.value.trim();
      if (field.kind === "numbers") return text ? text.split(/[\s,;]+/).map((one) => numeric(one)) : undefined;
      if (!isNumber) return input.value === "" ? undefined : input.value;
      return text === "" ? undefined : bounded(field, numeric(text));
    },
    set: (value) => (input.value = Array.isArray(value) ? value.join(", ") : String(value ?? "")),
  };
}

/** What counts where nothing is given, else an example. @param {Field} field */
function placeholderOf({ fallback, example }) {
  if (fallback !== null) return String(fallback);
  return example === null || typeof example === "object" ? "" : `e.g. ${example}`;
}

/** @param {Field} field @param {number} value */
function bounded(field, value) {
  if (field.kind === "integer" && !Number.isInteger(value)) throw new Error("A whole number, please.");
  if (field.minimum !== null && value < field.minimum) throw new Error(`At least ${field.minimum}, please.`);
  if (field.maximum !== null && value > field.maximum) throw new Error(`At most ${field.maximum}, please.`);
  if (field.above !== null && value <= field.above) throw new Error(`More than ${field.above}, please.`);
  if (field.below !== null && value >= field.below) throw new Error(`Less than ${field.below}, please.`);
  return value;
}

/** @param {string} text */
function numeric(text) {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`“${text}” is no number.`);
  return value;
}

/** @param {Field} field @param {Record<string, any>} common @param {() => void} onChange @returns {Control} */
function checkbox(field, common, onChange) {
  const input = h("input", { ...common, type: "checkbox" });
  input.checked = field.fallback === true;
  input.addEventListener("change", onChange);
  return {
    element: h("label", { class: "check" }, input, h("span", null, field.label)),
    focus: input,
    get: () => input.checked,
    set: (value) => (input.checked = Boolean(value)),
  };
}

/** @param {Field} field @param {Record<string, any>} common @param {() => void} onChange @returns {Control} */
function select(field, common, onChange) {
  const options = Object.entries(field.values ?? {}).map(([name, label]) => h("option", { value: name }, label));
  const none = field.fallback === null && h("option", { value: "" }, field.required ? "Choose…" : "–");
  const input = h("select", { ...common, class: "input" }, none, ...options);
  input.value = String(field.fallback ?? "");
  input.addEventListener("change", onChange);
  return { element: input, focus: input, get: () => input.value || undefined, set: (value) => (input.value = String(value ?? "")) };
}

/** @param {Record<string, any>} common @param {() => void} onChange @param {{get: (text: string) => any, set: (value: any) => string, placeholder: string}} as @returns {Control} */
function area(common, onChange, { get, set, placeholder }) {
  const input = h("textarea", { class: "input", rows: 4, placeholder, ...common });
  input.addEventListener("input", onChange);
  return {
    element: input,
    focus: input,
    get: () => (input.value.trim() === "" ? undefined : get(input.value)),
    set: (value) => (input.value = value === null || value === undefined ? "" : set(value)),
  };
}

/** @param {string} text */
function lines(text) {
  return text.split("\n").map((one) => one.trim()).filter(Boolean);
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {Field} field @param {string} id @param {string} describedBy @param {() => void} onChange @returns {Control} */
function choice(field, id, describedBy, onChange) {
  const box = combobox({ id, describedBy, onChange, placeholder: placeholderOf(field) });
  const isNumber = field.kind === "number" || field.kind === "integer";
  return {
    element: box.element,
    focus: box.input,
    get: () => (box.get() === "" ? undefined : isNumber ? bounded(field, numeric(box.get())) : box.get()),
    set: (value) => box.set(String(value ?? "")),
    setOptions: box.setOptions,
  };
}

/** Several of many, each with a button that takes it away. @param {Field} field @param {string} id @param {string} describedBy @param {() => void} onChange @returns {Control} */
function chips(field, id, describedBy, onChange) {
  /** @type {string[]} */
  let chosen = [];
  const held = h("ul", { class: "chips", "aria-label": `${field.label}: chosen` });
  const box = combobox({
    id,
    describedBy,
    placeholder: "Add…",
    onChange,
    onPick(value) {
      if (!chosen.includes(value)) chosen.push(value);
      show();
      onChange();
    },
  });
  function show() {
    held.hidden = !chosen.length;
    fill(held, ...chosen.map((value) => {
      const label = box.labelOf(value);
      const away = () => {
        chosen = chosen.filter((one) => one !== value);
        show();
        box.input.focus();
        onChange();
      };
      return h("li", { class: "chip" }, label, h("button", { type: "button", "aria-label": `Remove ${label}`, onclick: away }, icon("close")));
    }));
  }
  show();
  return {
    element: h("div", { class: "stack tight" }, held, box.element),
    focus: box.input,
    get: () => (chosen.length ? [...chosen] : undefined),
    set(value) {
      chosen = Array.isArray(value) ? value.map(String) : [];
      show();
    },
    setOptions(options) {
      box.setOptions(options);
      show();
    },
  };
}

/** Several of few. @param {Field} field @param {string} id @param {() => void} onChange @returns {Control} */
function checks(field, id, onChange) {
  const inputs = Object.keys(field.values ?? {}).map((name, index) => {
    const input = h("input", { type: "checkbox", value: name, id: index ? null : id });
    input.checked = (field.fallback ?? []).includes(name);
    input.addEventListener("change", onChange);
    return input;
  });
  const labels = inputs.map((input) => h("label", { class: "check" }, input, h("span", null, field.values?.[input.value] ?? "")));
  return {
    element: h("div", { class: "row", role: "group", "aria-label": field.label }, ...labels),
    focus: inputs[0],
    get: () => inputs.filter((input) => input.checked).map((input) => input.value),
    set: (value) => inputs.forEach((input) => (input.checked = (value ?? []).includes(input.value))),
  };
}
