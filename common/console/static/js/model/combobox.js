// @ts-check
/** A field of text with choices to search through (WAI-ARIA combobox with a list). Other values may be typed too. */

import { fill, h, uniqueId } from "../dom.js";

const MOST_SHOWN = 100;

/** @typedef {{value: string, label: string}} Option */

/**
 * @param {{id: string, describedBy: string, placeholder?: string, onChange: () => void, onPick?: (value: string) => void}} options
 *   with `onPick` what is chosen goes there, and the field is empty again
 */
export function combobox({ id, describedBy, placeholder = "", onChange, onPick }) {
  /** @type {Option[]} */
  let all = [];
  /** @type {Option[]} */
  let shown = [];
  let active = -1;
  /** What was chosen; the text of the field is its label. @type {string} */
  let value = "";
  /** Asked for the list, which opens as soon as there is one. */
  let isWanted = false;
  const listId = uniqueId("choices");
  const input = h("input", {
    class: "input", id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
    "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list", "aria-describedby": describedBy,
  });
  const list = h("ul", { class: "choices", id: listId, role: "listbox", "aria-label": "Choices", hidden: true });
  const element = h("div", { class: "combobox" }, input, list);

  const labelOf = (/** @type {string} */ one) => all.find((option) => option.value === one)?.label ?? one;

  /** @param {boolean} everything not only what fits the text */
  function open(everything) {
    const text = input.value.trim().toLowerCase();
    const fits = (/** @type {Option} */ { value: one, label }) => label.toLowerCase().includes(text) || one.toLowerCase().includes(text);
    const found = everything || !text ? all : all.filter(fits);
    shown = found.slice(0, MOST_SHOWN);
    active = shown.findIndex((option) => option.value === value);
    fill(list, ...shown.map(itemOf), found.length > shown.length && h("li", { class: "choices-more", role: "presentation" }, `${found.length - shown.length} more: type to find them`));
    list.hidden = !shown.length;
    input.setAttribute("aria-expanded", String(Boolean(shown.length)));
    mark();
  }

  /** @param {Option} option @param {number} index */
  function itemOf(option, index) {
    const item = h("li", { role: "option", id: `${listId}-${index}`, "aria-selected": String(option.value === value) }, h("span", null, option.label), option.label !== option.value && h("span", { class: "mono muted" }, option.value));
    // Not `click`: the field must not lose the focus before.
    item.addEventListener("pointerdown", (event) => (event.preventDefault(), pick(option)));
    return item;
  }

  function mark() {
    [...list.querySelectorAll("[role=option]")].forEach((item, index) => {
      item.classList.toggle("is-active", index === active);
      if (index === active) item.scrollIntoView({ block: "nearest" });
    });
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${listId}-${active}`);
  }

  function close() {
    isWanted = false;
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  /** @param {Option} option */
  function pick(option) {
    close();
    if (onPick) {
      input.value = "";
      onPick(option.value);
      return;
    }
    set(option.value);
    onChange();
  }

  /** Take the text as it stands, or the choice that it names. */
  function settle() {
    close();
    const text = input.value.trim();
    if (text === labelOf(value) && value !== "") return;
    const exact = all.find((option) => option.value === text || option.label.toLowerCase() === text.toLowerCase());
    if (onPick) {
      if (text) onPick(exact?.value ?? text);
      input.value = "";
      return;
    }
    const next = exact?.value ?? text;
    if (next === value) return;
    set(next);
    onChange();
  }

  /** @param {string} next */
  function set(next) {
    value = next;
    input.value = labelOf(next);
  }

  input.addEventListener("input", () => {
    isWanted = true;
    open(false);
  });
  input.addEventListener("click", () => {
    isWanted = true;
    if (list.hidden) open(true);
  });
  input.addEventListener("blur", settle);
  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "Enter") settle();
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open(true);
      else active = (active + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length;
      if (active < 0 && shown.length) active = 0;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && shown[active]) pick(shown[active]);
      else settle();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      input.value = labelOf(value);
      close();
    }
  });

  return {
    element,
    input,
    get: () => value,
    set,
    labelOf,
    /** @param {Option[]} options */
    setOptions(options) {
      all = options;
      if (document.activeElement !== input) input.value = onPick ? "" : labelOf(value);
      else if (isWanted) open(input.value === labelOf(value));
    },
  };
}
