// @ts-check
/** The same request for a terminal and for Python. Pure. */

/** @typedef {{url: string, body: any, isQueued?: boolean}} Asked */

/** @param {Asked} asked */
export function curlOf({ url, body, isQueued = false }) {
  const lines = [`curl ${quoted(url)}`, `-H 'Content-Type: application/json'`];
  if (isQueued) lines.push(`-H 'Prefer: respond-async'`);
  lines.push(`-d ${quoted(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}

/** @param {Asked} asked */
export function pythonOf({ url, body, isQueued = false }) {
  const headers = isQueued ? ', headers={"Prefer": "respond-async"}' : "";
  return [
    "import httpx",
    "",
    `answer = httpx.post(${JSON.stringify(url)}, json=${literal(body)}${headers}, timeout=600)`,
    "answer.raise_for_status()",
    "print(answer.json())",
  ].join("\n");
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A value as Python writes it. @param {any} value @returns {string} */
export function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}
