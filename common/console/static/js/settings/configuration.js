// @ts-check
/** Settings in effect: value, and where it comes from. Secrets come masked from the server. */

import { get } from "../api.js";
import { emptyState, errorState, notice, prose, skeleton, tag } from "../blocks.js";
import { fill, h } from "../dom.js";
import { NONE, plural } from "../format.js";

/** @param {HTMLElement} place */
export async function showConfiguration(place) {
  fill(place, skeleton(8));
  try {
    show(place, await get("/settings"));
  } catch (error) {
    fill(place, errorState(error, () => showConfiguration(place)));
  }
}

/** @param {HTMLElement} place @param {any} found */
function show(place, found) {
  const search = h("input", { class: "input", type: "search", id: "setting-search", placeholder: "DATABASE", autocomplete: "off", spellcheck: "false" });
  const only = h("input", { type: "checkbox" });
  const list = h("div", { class: "stack" });
  const count = h("p", { class: "hint", role: "status" });
  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    const areas = found.areas.flatMap((/** @type {any} */ area) => {
      const settings = area.settings.filter((/** @type {any} */ one) => (!only.checked || one.source !== "default") && `${one.name} ${one.description}`.toLowerCase().includes(wanted));
      shown += settings.length;
      return settings.length ? [areaView(area, settings)] : [];
    });
    fill(list, ...(areas.length ? areas : [emptyState("No setting is like that")]));
    fill(count, plural(shown, "setting"));
  };
  search.addEventListener("input", update);
  only.addEventListener("change", update);
  const unknown = Object.entries(found.unknown).map(([name, like]) => notice("warn", `${name} is no setting`, `Did you mean ${like}? As it is, it has no effect.`));
  const bar = h(
    "div",
    { class: "filters" },
    h("div", { class: "field" }, h("label", { for: "setting-search" }, "Search"), search),
    h("label", { class: "check" }, only, h("span", null, "Only what is not the default")),
  );
  fill(place, ...unknown, bar, count, list);
  update();
}

/** @param {any} area @param {any[]} settings */
function areaView(area, settings) {
  const heads = ["Setting", "Value", "From"].map((text) => h("th", { scope: "col" }, text));
  const rows = settings.map((one) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, h("span", { class: "cell-title" }, h("span", { class: "mono" }, one.name), h("span", null, ...prose(one.description)))),
      h("td", { class: "mono setting-value" }, valueText(one.value)),
      h("td", null, tag(one.source, one.source === "default" ? "" : "info"), one.no_effect && h("p", { class: "hint" }, `No effect: ${one.no_effect}`)),
    ),
  );
  return h(
    "section",
    { class: "panel", "aria-label": area.name },
    h("div", null, h("h3", null, area.name), h("p", { class: "hint" }, area.description)),
    h("div", { class: "table-wrap framed settings", tabindex: 0, role: "region", "aria-label": `Settings of ${area.name}` }, h("table", { class: "table" }, h("thead", null, h("tr", null, ...heads)), h("tbody", null, ...rows))),
  );
}

/** @param {any} value */
function valueText(value) {
  if (value === null || value === "" || (Array.isArray(value) && !value.length)) return NONE;
  if (Array.isArray(value)) return value.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
