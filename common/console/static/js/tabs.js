// @ts-check
/** Tabs with arrow keys (WAI-ARIA, automatic activation); the one that is open stands in the address. */

import { h, uniqueId } from "./dom.js";

/**
 * @param {{id: string, title: string, panel: HTMLElement, onShow?: () => void, onHide?: () => void}[]} tabs panels stay in the page, hidden
 * @param {{label: string, parameter?: string, first?: string}} options `parameter` of the address that names the open
 *   one, "" for none; `first` is the id of the one that is open where the address names none
 * @returns {HTMLElement} the tabs and their panels
 */
export function tabs(tabs, { label, parameter = "tab", first = "" }) {
  const buttons = tabs.map(({ id, title, panel }, index) => {
    const button = h("button", { type: "button", role: "tab", id: uniqueId("tab"), dataset: { tab: id } }, title);
    button.addEventListener("click", () => show(index));
    panel.id ||= uniqueId("panel");
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
    button.setAttribute("aria-controls", panel.id);
    return button;
  });
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...buttons);
  list.addEventListener("keydown", (event) => {
    const here = buttons.indexOf(/** @type {any} */ (document.activeElement));
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    const index = (there + buttons.length) % buttons.length;
    show(index);
    buttons[index].focus();
  });

  /** @param {number} index @param {boolean} [remember] */
  function show(index, remember = true) {
    const before = buttons.findIndex((button) => button.getAttribute("aria-selected") === "true");
    buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
      tabs[at].panel.hidden = at !== index;
    });
    if (remember && parameter) {
      const address = new URL(location.href);
      address.searchParams.set(parameter, tabs[index].id);
      history.replaceState(null, "", address);
    }
    if (before !== index) tabs[before]?.onHide?.();
    tabs[index].onShow?.();
  }

  const asked = parameter ? new URLSearchParams(location.search).get(parameter) : null;
  const at = tabs.findIndex(({ id }) => id === asked);
  show(Math.max(0, at >= 0 ? at : tabs.findIndex(({ id }) => id === first)), false);
  return h("div", { class: "stack" }, list, ...tabs.map(({ panel }) => panel));
}
