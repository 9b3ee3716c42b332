// @ts-check
/** The config of a task from what was typed. Pure. */

/**
 * @param {{name: string, text: string, isNumber: boolean}[]} fields empty ones are left out
 * @param {[string, string][]} pairs parameters, by name
 * @returns {Record<string, any>}
 */
export function configOf(fields, pairs) {
  /** @type {Record<string, any>} */
  const config = {};
  for (const { name, text, isNumber } of fields) {
    const given = text.trim();
    // What is no number is sent as it is, and the server says what it takes.
    if (given) config[name] = isNumber && !Number.isNaN(Number(given)) ? Number(given) : given;
  }
  const named = pairs.filter(([name]) => name.trim());
  if (named.length) config.parameters = Object.fromEntries(named.map(([name, text]) => [name.trim(), scalar(text)]));
  return config;
}

/** A number, true or false where it reads like one; else the text. @param {string} text */
export function scalar(text) {
  const given = text.trim();
  if (given === "true" || given === "false") return given === "true";
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(given) && Number.isFinite(Number(given)) ? Number(given) : text;
}

/** The object, or what is wrong with the text. @param {string} text @returns {Record<string, any> | string} */
export function parsedConfig(text) {
  try {
    const value = JSON.parse(text || "{}");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : "Write it as {\"name\": value, …}.";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
