// @ts-check
/** CSV (RFC 4180), and what is missing in it. Pure. */

const MISSING = new Set(["", "na", "n/a", "nan", "null", "none", ".."]);

/**
 * Rows of a text; quotes, line ends of all systems.
 * @param {string} text @param {number} most rows at most, with the header
 * @param {string} [separator] of fields, one character
 * @returns {string[][]}
 */
export function rowsOf(text, most, separator = ",") {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let row = [];
  let field = "";
  let isQuoted = false;
  for (let at = 0; at < text.length && rows.length < most; at += 1) {
    const char = text[at];
    if (isQuoted) {
      if (char !== '"') field += char;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === separator) {
      row.push(field);
      field = "";
    } else if (char === "\n") {
      row.push(field.replace(/\r$/, ""));
      rows.push(row);
      [row, field] = [[], ""];
    } else field += char;
  }
  if ((field || row.length) && rows.length < most) rows.push([...row, field]);
  return rows;
}

/** @param {string | undefined} field */
export function isMissing(field) {
  return field === undefined || MISSING.has(field.trim().toLowerCase());
}

/**
 * The share that is missing, of each column as a whole and of each in bands of rows.
 * @param {string[][]} rows the header first
 * @param {number} bands at most
 * @returns {{columns: string[], rows: number, shares: number[], bands: number[][]}}
 */
export function missingness(rows, bands) {
  const [columns = [], ...data] = rows;
  const size = Math.max(1, Math.ceil(data.length / bands));
  /** @type {number[][]} */
  const found = [];
  const missing = columns.map(() => 0);
  for (let from = 0; from < data.length; from += size) {
    const band = data.slice(from, from + size);
    const counts = columns.map((_, at) => band.filter((row) => isMissing(row[at])).length);
    counts.forEach((count, at) => (missing[at] += count));
    found.push(counts.map((count) => count / band.length));
  }
  return { columns, rows: data.length, shares: missing.map((count) => (data.length ? count / data.length : 0)), bands: found };
}
