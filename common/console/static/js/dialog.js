// @ts-check
/** Dialogs by the browser's own element: focus stays within, Escape closes. */

import { h, uniqueId } from "./dom.js";

/**
 * Ask before something that cannot be undone. The answer is false when the dialog is closed in any other way.
 *
 * @param {{title: string, text: string | Node, confirm: string, danger?: boolean, type?: string}} options
 *   `text` says what will happen; with `type` that word must be typed first.
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, confirm, danger = false, type = "" }) {
  return new Promise((resolve) => {
    const field = type && h("input", { class: "input", autocomplete: "off", spellcheck: "false", "aria-label": `Type ${type}` });
    const yes = h("button", { type: "submit", class: danger ? "button danger" : "button primary", disabled: Boolean(type) }, confirm);
    if (field) field.addEventListener("input", () => (yes.disabled = field.value !== type));
    const dialog = open({
      title,
      body: [h("p", { class: "muted" }, text), field && h("p", { class: "hint" }, "Type ", h("code", null, type), " to go on."), field],
      actions: [cancelButton(), yes],
      onClose: (value) => resolve(value === "yes"),
    });
    dialog.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close("yes");
    });
  });
}

/**
 * Open a dialog with this content; the element goes when it is closed.
 *
 * @param {{title: string, body: any[], actions: any[], wide?: boolean, onClose?: (value: string) => void}} options
 * @returns {HTMLDialogElement}
 */
export function open({ title, body, actions, wide = false, onClose = () => {} }) {
  const id = uniqueId("dialog");
  const form = h(
    "form",
    { method: "dialog" },
    h("div", { class: "dialog-body" }, h("h2", { id }, title), ...body),
    h("div", { class: "dialog-actions" }, ...actions),
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    /** @type {unknown} */ (h("dialog", { "aria-labelledby": id, class: wide ? "wide" : null }, form))
  );
  dialog.addEventListener("close", () => {
    onClose(dialog.returnValue);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A button that closes the dialog it stands in. @param {string} [label] */
export function cancelButton(label = "Cancel") {
  return h(
    "button",
    { type: "button", class: "button", onclick: (/** @type {Event} */ event) => /** @type {Element} */ (event.target).closest("dialog")?.close("") },
    label,
  );
}
