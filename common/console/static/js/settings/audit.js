// @ts-check
/** The audit log: who did what, newest first. */

import { get } from "../api.js";
import { emptyState, errorState, skeleton, stateBadge } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { dateTime } from "../format.js";
import { table } from "../table.js";
import { inLine } from "../shared/value.js";

const PAGE = 100;

/** @param {HTMLElement} place */
export function showAudit(place) {
  const who = h("input", { class: "input", id: "audit-who", autocomplete: "off", spellcheck: "false" });
  const action = h("input", { class: "input", id: "audit-action", autocomplete: "off", spellcheck: "false", placeholder: "key" });
  const outcome = h("select", { class: "input", id: "audit-outcome" }, h("option", { value: "" }, "Any"), ...["done", "refused", "failed"].map((one) => h("option", null, one)));
  const field = (/** @type {any} */ input, /** @type {string} */ label) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "filters", role: "search", "aria-label": "Filter the audit log" }, field(who, "Who"), field(action, "Action"), field(outcome, "Outcome"), h("button", { type: "submit", class: "button" }, icon("search"), "Search"));
  const list = h("div", { class: "framed audit" }, skeleton(6));
  const older = h("button", { type: "button", class: "button", hidden: true }, "Older ones");
  const shown = table(
    [
      { title: "When", isHead: true, cell: (record) => dateTime(record.at) },
      { title: "Who", cell: (record) => h("span", { class: "cell-title" }, h("span", null, record.by.name || record.by.id || record.by.kind), h("span", null, record.address ?? "")) },
      { title: "Action", cell: (record) => h("span", { class: "mono" }, record.action) },
      { title: "What", cell: (record) => h("span", { class: "mono" }, record.target ?? "") },
      { title: "Outcome", cell: (record) => stateBadge(record.outcome) },
      { title: "Details", cell: (record) => h("span", { class: "hint setting-value" }, Object.entries(record.details).map(([name, value]) => `${name}: ${inLine(value)}`).join(", ")) },
    ],
    { key: (record) => record.id, caption: "Audit log, newest first", empty: () => emptyState("Nothing is recorded", "What people and programs change is recorded here.") },
  );
  /** @type {any[]} */
  let records = [];
  /** @type {string | null} */
  let next = null;

  /** @param {boolean} isMore */
  async function look(isMore) {
    const asked = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, input] of /** @type {[string, any][]} */ ([["who", who], ["action", action], ["outcome", outcome]])) {
      if (input.value.trim()) asked.set(name, input.value.trim());
    }
    if (isMore && next) asked.set("cursor", next);
    try {
      const page = await get(`/audit?${asked}`);
      records = isMore ? [...records, ...page.records] : page.records;
      next = page.next;
      shown.update(records);
      fill(list, shown.element);
    } catch (error) {
      fill(list, errorState(error, () => look(isMore)));
    }
    older.hidden = !next;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    look(false);
  });
  outcome.addEventListener("change", () => look(false));
  older.addEventListener("click", () => look(true));
  fill(place, form, list, h("div", null, older));
  look(false);
}
