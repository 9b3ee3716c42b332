// @ts-check
/** API keys: made, shown once, revoked. */

import { get, readable, send } from "../api.js";
import { code, emptyState, errorState, skeleton, stateBadge, tag } from "../blocks.js";
import { ask, cancelButton, open } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { ago, dateTime } from "../format.js";
import { table } from "../table.js";
import { attempt } from "../toast.js";

const SCOPES = { predict: "ask models", train: "train them", submit: "run programs on clusters", admin: "everything" };
const PAGE = 1000;

/** @param {HTMLElement} place */
export function showKeys(place) {
  const revoked = h("input", { type: "checkbox" });
  const create = h("button", { type: "button", class: "button primary" }, icon("key"), "New key");
  const list = h("div", { class: "framed" }, skeleton(4));
  const shown = table(
    [
      { title: "Key", isHead: true, sortBy: (key) => key.name, cell: (key) => h("span", { class: "cell-title" }, h("span", null, key.name), h("span", { class: "mono" }, `${key.prefix}…`)) },
      { title: "State", cell: (key) => stateBadge(key.state) },
      { title: "May", cell: (key) => h("div", { class: "row" }, ...key.scopes.map((/** @type {string} */ scope) => tag(scope))) },
      { title: "Models", cell: (key) => key.models?.join(", ") ?? "all" },
      { title: "Last used", sortBy: (key) => key.last_used_at, cell: (key) => (key.last_used_at ? ago(key.last_used_at) : "never") },
      { title: "Ends", sortBy: (key) => key.expires_at, cell: (key) => (key.expires_at ? dateTime(key.expires_at) : "never") },
      { title: "Revoke", titleHidden: true, cell: (key) => key.state === "active" && h("button", { type: "button", class: "button small danger", "aria-label": `Revoke ${key.name}`, onclick: () => revoke(key) }, "Revoke") },
    ],
    { key: (key) => key.id, caption: "API keys", empty: () => emptyState("There are no keys", "Without one, only this machine may ask, or whom ANONYMOUS_SCOPES lets.") },
  );
  const look = async () => {
    try {
      const page = await get(`/keys?limit=${PAGE}${revoked.checked ? "&include=revoked" : ""}`);
      shown.update(page.keys);
      fill(list, shown.element);
    } catch (error) {
      fill(list, errorState(error, look));
    }
  };

  /** @param {any} key */
  async function revoke(key) {
    const text = `Whoever uses ${key.name} (${key.prefix}…) is refused within 5 seconds, in every process. It cannot be undone; a new key has to be made.`;
    if (!(await ask({ title: `Revoke ${key.name}?`, text, confirm: "Revoke", danger: true }))) return;
    await attempt(() => send("DELETE", `/keys/${key.id}`), `${key.name} is revoked`);
    await look();
  }

  revoked.addEventListener("change", look);
  create.addEventListener("click", () => openDraft(look));
  fill(place, h("div", { class: "row spread" }, h("label", { class: "check" }, revoked, h("span", null, "Show those revoked in the last 30 days")), create), list);
  look();
}

/** @param {() => void} done */
function openDraft(done) {
  const name = h("input", { class: "input", id: "key-name", autocomplete: "off", maxlength: 100, required: true });
  const days = h("input", { class: "input", id: "key-days", type: "number", min: 1, max: 3650, step: 1, value: "90" });
  const models = h("input", { class: "input", id: "key-models", autocomplete: "off", spellcheck: "false", placeholder: "all" });
  const boxes = Object.entries(SCOPES).map(([scope, may]) => {
    const box = h("input", { type: "checkbox", value: scope, checked: scope === "predict" });
    return { box, label: h("label", { class: "check" }, box, h("span", null, h("strong", null, scope), `: ${may}`)) };
  });
  const wrong = h("p", { class: "field-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "button primary" }, "Make the key");
  const field = (/** @type {any} */ input, /** @type {string} */ label, /** @type {string} */ hint) => h("div", { class: "field" }, h("label", { for: input.id }, label), input, h("p", { class: "field-hint" }, hint));
  const dialog = open({
    title: "New key",
    body: [
      field(name, "Name", "Who or what uses it."),
      h("fieldset", null, h("legend", null, "It may"), ...boxes.map((one) => one.label)),
      field(models, "Models", "Names, separated by commas; empty for all."),
      field(days, "Days until it ends", "Empty for never."),
      wrong,
    ],
    actions: [cancelButton(), submit],
  });
  dialog.querySelector("form")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const named = models.value.split(",").map((/** @type {string} */ one) => one.trim()).filter(Boolean);
    const draft = { name: name.value, scopes: boxes.filter((one) => one.box.checked).map((one) => one.box.value), models: named.length ? named : null, expires_in_days: days.value ? Number(days.value) : null };
    submit.disabled = true;
    try {
      const made = await send("POST", "/keys", draft);
      dialog.close();
      showOnce(made);
      done();
    } catch (error) {
      fill(wrong, readable(error).detail || readable(error).title);
      submit.disabled = false;
    }
  });
  name.focus();
}

/** @param {any} made */
function showOnce(made) {
  const told = h("p", { class: "muted" }, "Copy it now: it is shown this once. Only its hash is kept, and nobody can show it again.");
  open({ title: `Key ${made.name}`, body: [told, code(made.key, { wraps: true, label: "The new key" })], actions: [cancelButton("I have copied it")] });
}
