// @ts-check
/** Versions of a model in the registry: what serves, aliases, going back. */

import { get, send } from "../api.js";
import { emptyState, errorState, pageLink, tag } from "../blocks.js";
import { caller, may } from "../caller.js";
import { ask, cancelButton, open } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { ago, bytes, dateTime, NONE, number, plural } from "../format.js";
import { table } from "../table.js";
import { attempt } from "../toast.js";

const ALIAS = "[a-z][a-z0-9\\-]{0,62}";
const DEFAULT = "default";

/** @param {string} name of the model @returns {{element: HTMLElement, refresh: () => Promise<void>}} */
export function versionsView(name) {
  const element = h("div", { class: "stack" });

  async function refresh() {
    try {
      const [all, who] = await Promise.all([get("/registry"), caller()]);
      // What a model serves for its users has names below its own.
      const named = all.filter((/** @type {any} */ one) => one.model === name || one.model.startsWith(`${name}.`));
      const entries = await Promise.all(named.map((/** @type {any} */ one) => get(`/registry/${encodeURIComponent(one.model)}`)));
      const isAdmin = may(who, "admin");
      if (!entries.length) fill(element, emptyState("No versions yet", "A training publishes one, or an upload does. Until then the model answers with what it brings along."));
      else fill(element, ...entries.map((entry) => entryView(entry, isAdmin, refresh)));
    } catch (error) {
      fill(element, errorState(error, refresh));
    }
  }

  return { element, refresh };
}

/** @param {any} entry @param {boolean} isAdmin @param {() => Promise<void>} changed */
function entryView(entry, isAdmin, changed) {
  const serving = entry.aliases[DEFAULT] ?? null;
  const rows = table(
    [
      { title: "Version", isHead: true, cell: (row) => h("span", { class: "row" }, `v${row.number}`, ...aliasesOf(entry, row.number)) },
      { title: "Published", isMinor: true, cell: (row) => h("span", { title: dateTime(row.created_at) }, ago(row.created_at)) },
      { title: "Measured", cell: (row) => metricsText(row.metrics) },
      { title: "Size", isNumber: true, isMinor: true, cell: (row) => bytes(row.artefacts.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.size_bytes, 0)) },
      { title: "By", isMinor: true, cell: (row) => (row.job_id ? pageLink("/console/jobs", `/console/jobs/${row.job_id}`, "training") : row.author || NONE) },
      { title: "Actions", titleHidden: true, cell: (row) => (isAdmin ? actionsOf(entry, row, serving, changed) : null) },
    ],
    { key: (row) => String(row.number), caption: `Versions of ${entry.model}`, empty: () => emptyState("No versions"), version: (row) => row },
  );
  rows.update(entry.versions);
  const before = entry.rollbacks[DEFAULT];
  const back = isAdmin && before !== undefined && h("button", { type: "button", class: "button small", onclick: () => rollback(entry.model, serving, before, changed) }, icon("rollback"), `Roll back to v${before}`);
  const more = entry.count > entry.versions.length ? `The newest ${entry.versions.length} of ${entry.count}` : plural(entry.count, "version");
  return h(
    "section",
    { class: "card" },
    h("div", { class: "card-head" }, h("div", null, h("h2", null, entry.model), h("p", { class: "hint" }, entry.description || more)), back),
    rows.element,
  );
}

/** @param {any} entry @param {number} version */
function aliasesOf(entry, version) {
  return Object.entries(entry.aliases)
    .filter(([, target]) => target === version)
    .map(([alias]) => tag(alias === DEFAULT ? "serves" : alias, alias === DEFAULT ? "good" : ""));
}

/** @param {Record<string, any>} metrics */
function metricsText(metrics) {
  const told = Object.entries(metrics).filter(([, value]) => typeof value === "number");
  if (!told.length) return NONE;
  return told.slice(0, 4).map(([name, value]) => `${name} ${number(value)}`).join(", ") + (told.length > 4 ? ", …" : "");
}

/** @param {any} entry @param {any} row @param {number | null} serving @param {() => Promise<void>} changed */
function actionsOf(entry, row, serving, changed) {
  const serve = h("button", { type: "button", class: "button small", onclick: () => letServe(entry.model, row.number, changed) }, "Let it serve");
  const name = h("button", { type: "button", class: "button ghost small", onclick: () => nameIt(entry.model, row.number, changed) }, "Name…");
  return h("span", { class: "row end" }, row.number !== serving && serve, name);
}

/** @param {string} model @param {number} version @param {() => Promise<void>} changed */
async function letServe(model, version, changed) {
  const text = `From now on version ${version} answers all who name no other. It can be rolled back.`;
  if (!(await ask({ title: `Let version ${version} serve?`, text, confirm: "Let it serve" }))) return;
  await attemptAnd(() => point(model, DEFAULT, version), `Version ${version} serves`, changed);
}

/** @param {string} model @param {number} serving @param {number} before what served before it @param {() => Promise<void>} changed */
async function rollback(model, serving, before, changed) {
  const text = `Version ${serving} serves. Version ${before}, which served before it, takes its place; version ${serving} stays and can serve again.`;
  if (!(await ask({ title: `Roll ${model} back to version ${before}?`, text, confirm: `Roll back to v${before}` }))) return;
  // With what serves now: a click that arrives twice goes back once.
  const path = `/registry/${encodeURIComponent(model)}/aliases/${DEFAULT}/rollback`;
  await attemptAnd(() => send("POST", path, { current: serving }), `Version ${before} serves again`, changed);
}

/** @param {string} model @param {number} version @param {() => Promise<void>} changed */
function nameIt(model, version, changed) {
  const field = h("input", { class: "input mono", required: true, pattern: ALIAS, maxlength: 63, placeholder: "candidate", "aria-label": "Alias", autocomplete: "off", spellcheck: "false" });
  const yes = h("button", { type: "submit", class: "button primary" }, "Name it");
  const hint = h("p", { class: "hint" }, "Lower-case letters, digits and dashes. An alias of that name is moved here; requests may ask for it.");
  const dialog = open({ title: `An alias for version ${version}`, body: [field, hint], actions: [cancelButton(), yes] });
  dialog.querySelector("form")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    dialog.close("yes");
    await attemptAnd(() => point(model, field.value, version), `${field.value} is version ${version}`, changed);
  });
  field.focus();
}

/** @param {string} model @param {string} alias @param {number} version */
function point(model, alias, version) {
  return send("PUT", `/registry/${encodeURIComponent(model)}/aliases/${encodeURIComponent(alias)}`, { version });
}

/** @param {() => Promise<unknown>} change @param {string} done @param {() => Promise<void>} changed */
async function attemptAnd(change, done, changed) {
  await attempt(change, done);
  await changed();
}
