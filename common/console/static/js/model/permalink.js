// @ts-check
/** Inputs in the part of the address after `#`, which no server is told. Pure, but for the address. */

const LONGEST = 8000;

/** @param {import("./form.js").Values} values @returns {string} empty where they are too much for an address */
export function fragmentOf(values) {
  const text = `#in=${encodeURIComponent(JSON.stringify(values))}`;
  return text.length <= LONGEST ? text : "";
}

/** @param {string} fragment @returns {import("./form.js").Values | null} null where it is of something else, or broken */
export function valuesOf(fragment) {
  if (!fragment.startsWith("#in=")) return null;
  try {
    const found = JSON.parse(decodeURIComponent(fragment.slice("#in=".length)));
    return found && typeof found === "object" ? { body: found.body ?? {}, query: found.query ?? {} } : null;
  } catch {
    return null;
  }
}

/** Put inputs into the address, without a step in the history. @param {import("./form.js").Values} values */
export function remember(values) {
  history.replaceState(null, "", location.pathname + location.search + fragmentOf(values));
}
