// @ts-check
/** Answers as tables: whatever JSON a model gives, in the form that people read. Pure. */

/** @typedef {{title: string, columns: string[], rows: any[][]}} Sheet */
/** @typedef {{facts: [string, any][], sheets: Sheet[]}} Flat */

const DEEPEST = 4;

/** @param {any} answer @returns {Flat} */
export function flatten(answer) {
  /** @type {Flat} */
  const found = { facts: [], sheets: [] };
  if (isScalar(answer)) found.facts.push(["answer", answer]);
  else visit(answer, "", found, 0);
  return found;
}

/** @param {any} value @param {string} title @param {Flat} found @param {number} depth */
function visit(value, title, found, depth) {
  const sheet = sheetOf(value, title);
  if (sheet) {
    if (sheet.rows.length) found.sheets.push(sheet);
    return;
  }
  if (depth >= DEEPEST || Array.isArray(value)) {
    found.facts.push([title || "answer", JSON.stringify(value)]);
    return;
  }
  /** @type {Map<number, [string, any[]][]>} */
  const lists = new Map();
  for (const [name, member] of Object.entries(value)) {
    const path = title ? `${title}.${name}` : name;
    if (isScalar(member)) found.facts.push([path, member]);
    else if (isScalarList(member)) {
      if (!member.length) continue;
      lists.set(member.length, [...(lists.get(member.length) ?? []), [path, member]]);
    } else visit(member, path, found, depth + 1);
  }
  // Lists of the same length tell of the same things.
  for (const [length, columns] of lists) {
    const rows = Array.from({ length }, (_, index) => columns.map(([, list]) => list[index]));
    found.sheets.push({ title: columns.map(([path]) => path).join(", "), columns: columns.map(([path]) => path), rows });
  }
}

/** @param {any} value @param {string} title @returns {Sheet | null} null for what is no table */
function sheetOf(value, title) {
  if (Array.isArray(value)) {
    if (isScalarList(value)) return { title, columns: ["", title || "value"], rows: value.map((one, index) => [index + 1, one]) };
    if (value.length && value.every(isRecord)) return recordsOf(value, title);
    // Of each item several: as the classes of each text.
    if (value.length && value.every((one) => Array.isArray(one) && one.every(isRecord))) {
      const rows = value.flatMap((inner, index) => inner.map((/** @type {any} */ one) => ({ item: index + 1, ...one })));
      return recordsOf(rows, title);
    }
    return value.length ? null : { title, columns: [], rows: [] };
  }
  const { index, columns, data } = value;
  if (Array.isArray(index) && Array.isArray(columns) && Array.isArray(data)) {
    return { title, columns: ["", ...columns.map(String)], rows: data.map((row, at) => [index[at], ...row]) };
  }
  const members = Object.entries(value);
  if (!members.length) return { title, columns: [], rows: [] };
  const length = Array.isArray(members[0][1]) ? members[0][1].length : -1;
  if (members.length > 1 && length > 0 && members.every(([, one]) => isScalarList(one) && one.length === length)) {
    return { title, columns: members.map(([name]) => name), rows: Array.from({ length }, (_, at) => members.map(([, one]) => one[at])) };
  }
  // Figures by name, as of countries; of an answer itself they are facts.
  if (title && members.length > 6 && members.every(([, one]) => isScalar(one))) return { title, columns: ["", title.split(".").at(-1) ?? ""], rows: members };
  return null;
}

/** @param {any[]} records @param {string} title @returns {Sheet} */
function recordsOf(records, title) {
  const columns = [...new Set(records.flatMap((one) => Object.keys(one)))];
  return { title, columns, rows: records.map((one) => columns.map((name) => one[name] ?? null)) };
}

/** Comma-separated values as RFC 4180 has them. @param {Sheet} sheet */
export function csvOf({ columns, rows }) {
  const cell = (/** @type {any} */ value) => {
    const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** @param {any} value */
function isScalar(value) {
  return value === null || typeof value !== "object";
}

/** @param {any} value */
function isScalarList(value) {
  return Array.isArray(value) && value.every(isScalar);
}

/** @param {any} value */
function isRecord(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
