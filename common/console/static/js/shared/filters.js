// @ts-check
/** Fields of a form that stand in the address, so that a filtered list can be kept and sent to others. */

import { byId } from "../dom.js";

/**
 * Fields with a name in the form `#filters`; `change` is called with the query that they make, without `?`.
 * @param {(query: string) => void} change
 * @returns {string} the query as the page begins
 */
export function filters(change) {
  const form = /** @type {HTMLFormElement} */ (/** @type {unknown} */ (byId("filters")));
  const fields = () => /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name]")]);
  const given = new URLSearchParams(location.search);
  for (const field of fields()) {
    const value = given.get(field.name) ?? "";
    // Names of models and clusters are not known yet.
    if (field instanceof HTMLSelectElement && value && ![...field.options].some((one) => one.value === value)) {
      field.append(new Option(value, value));
    }
    field.value = value;
  }
  const query = () => new URLSearchParams(fields().filter((one) => one.value.trim()).map((one) => [one.name, one.value.trim()])).toString();
  const clear = /** @type {HTMLElement | null} */ (form.querySelector("[type=reset]"));
  const told = () => {
    const now = query();
    if (clear) clear.hidden = !now;
    history.replaceState(null, "", now ? `?${now}` : location.pathname);
    change(now);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    told();
  });
  form.addEventListener("change", told);
  form.addEventListener("reset", () => setTimeout(told));
  if (clear) clear.hidden = !query();
  return query();
}

/** More choices of a field, those that it has left as they are. @param {string} id @param {string[]} values */
export function offer(id, values) {
  const field = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (byId(id)));
  const has = new Set([...field.options].map((one) => one.value));
  for (const value of values) if (!has.has(value)) field.append(new Option(value, value));
}
