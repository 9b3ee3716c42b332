// @ts-check
/** What a hosted model takes and answers, as rows of a table: columns, examples, and back. Pure. */

/** @typedef {{name: string, type: string, shape: number[]}} Tensor as the API tells inputs and outputs */
/** @typedef {{input: string, label: string, kind: "number" | "integer" | "boolean" | "text"}} Column */
/** @typedef {{label: string, value: any}} Cell */

/** More columns are easier to write as JSON. */
const MOST_COLUMNS = 32;
/** More figures of one output are one cell. */
const MOST_FIGURES = 12;

/** @param {Tensor} tensor */
export function tensorText({ name, type, shape }) {
  return `${name} ${type}[${shape.map((length) => (length < 0 ? "n" : length)).join(", ")}]`;
}

/**
 * A column for each number or text of an observation.
 * @param {Tensor[]} inputs
 * @returns {Column[] | null} null where an observation is no row
 */
export function columnsOf(inputs) {
  if (!inputs.length) return null;
  if (inputs.every(isColumn)) {
    return inputs.length > MOST_COLUMNS ? null : inputs.map(({ name, type }) => ({ input: name, label: name, kind: kindOf(type) }));
  }
  const [{ name, type, shape }] = inputs;
  if (inputs.length > 1 || shape.length !== 2 || shape[1] < 1 || shape[1] > MOST_COLUMNS) return null;
  return Array.from({ length: shape[1] }, (_, at) => ({ input: name, label: `${name}[${at}]`, kind: kindOf(type) }));
}

/** Whether an observation is one number or text. @param {Tensor} tensor */
function isColumn({ shape }) {
  return shape.length === 1 || (shape.length === 2 && shape[1] === 1);
}

/** @param {string} type @returns {Column["kind"]} */
function kindOf(type) {
  if (type === "BYTES") return "text";
  if (type === "BOOL") return "boolean";
  return /^U?INT/.test(type) ? "integer" : "number";
}

/** Whether it takes pictures: channels first or last. @param {Tensor[]} inputs */
export function takesImages(inputs) {
  const [{ shape, type } = { shape: [], type: "" }] = inputs;
  const isChannels = (/** @type {number} */ length) => length === 1 || length === 3;
  return inputs.length === 1 && shape.length === 4 && type !== "BYTES" && (isChannels(shape[1]) || isChannels(shape[3]));
}

/**
 * What `values` is for these rows: one observation by itself, several as a list.
 * @param {Tensor[]} inputs @param {Column[]} columns @param {any[][]} rows
 */
export function valuesOf(inputs, columns, rows) {
  const observation = (/** @type {any[]} */ row) => {
    if (inputs.length > 1) return Object.fromEntries(columns.map(({ input }, at) => [input, row[at]]));
    return inputs[0].shape.length === 1 ? row[0] : row;
  };
  const found = rows.map(observation);
  return rows.length === 1 && typeof found[0] === "object" ? found[0] : found;
}

/**
 * The other way round.
 * @param {Tensor[]} inputs @param {Column[]} columns @param {any} values
 * @returns {any[][] | null} null where they are no such rows
 */
export function rowsOf(inputs, columns, values) {
  const isRecord = (/** @type {any} */ one) => one !== null && typeof one === "object" && !Array.isArray(one);
  if (isRecord(values)) {
    const lists = columns.map(({ input }) => values[input]);
    if (!lists.every(Array.isArray)) return rowsOf(inputs, columns, [values]);
    return lists.every((one) => one.length === lists[0].length) ? lists[0].map((/** @type {any} */ _, /** @type {number} */ at) => lists.map((one) => one[at])) : null;
  }
  if (!Array.isArray(values) || !values.length) return null;
  if (values.every(isRecord)) {
    return values.every((one) => columns.every(({ input }) => input in one)) ? values.map((one) => columns.map(({ input }) => one[input])) : null;
  }
  const isScalars = values.every((one) => one === null || typeof one !== "object");
  const rows = isScalars ? (columns.length === 1 ? values.map((one) => [one]) : [values]) : values;
  return rows.every((row) => Array.isArray(row) && row.length === columns.length) ? rows : null;
}

/**
 * What stands in a cell as the value that is sent; what is empty is null.
 * @param {Column} column @param {string} text @returns {any}
 */
export function cellOf({ kind, label }, text) {
  if (kind === "text") return text;
  const told = text.trim();
  if (!told) return null;
  if (kind === "boolean") {
    if (/^(true|1|yes)$/i.test(told)) return true;
    if (/^(false|0|no)$/i.test(told)) return false;
    throw new Error(`${label}: true or false, please; this is “${told}”`);
  }
  const value = Number(told);
  if (!Number.isFinite(value)) throw new Error(`${label}: “${told}” is no number`);
  if (kind === "integer" && !Number.isInteger(value)) throw new Error(`${label}: a whole number, please; this is ${told}`);
  return value;
}

/** Rows to begin with. @param {Column[]} columns @returns {any[][]} */
export function exampleRows(columns) {
  const by = { number: (/** @type {number} */ at) => (at % 10) / 2 + 0.5, integer: (/** @type {number} */ at) => (at % 10) + 1, boolean: () => true, text: () => "text" };
  return [columns.map(({ kind }, at) => by[kind](at))];
}

/** Numbers as of a normal distribution; where they are texts, one of few. @param {Column[]} columns @param {number} count */
export function randomRows(columns, count) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const by = { number: () => Number((2 * normal() + 2).toFixed(3)), integer: () => Math.floor(Math.random() * 10), boolean: () => Math.random() < 0.5, text: () => ["one", "two", "three"][Math.floor(Math.random() * 3)] };
  return Array.from({ length: count }, () => columns.map(({ kind }) => by[kind]()));
}

/** `values` that the model takes, where it takes no rows: zeros of the right shape. @param {Tensor[]} inputs */
export function exampleValues(inputs) {
  const one = (/** @type {Tensor} */ { shape, type }) => nested(shape.map((length) => Math.max(1, length)), type === "BYTES" ? "text" : type === "BOOL" ? true : 0);
  return inputs.length === 1 ? one(inputs[0]) : Object.fromEntries(inputs.map((input) => [input.name, one(input)]));
}

/** @param {number[]} lengths @param {any} value @returns {any} */
function nested([length, ...rest], value) {
  return length === undefined ? value : Array.from({ length }, () => nested(rest, value));
}

/** Cells of a spreadsheet, or lines of a CSV without quotes. @param {string} text */
export function pasted(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n");
  const separator = text.includes("\t") ? "\t" : text.includes(";") ? ";" : ",";
  return lines.map((line) => line.split(separator).map((cell) => cell.trim()));
}

/**
 * The answer by row: the figures of each output, those of lists one by one.
 * @param {Record<string, any>} outputs by name @param {string[]} labels of classes
 * @returns {Cell[][]} for each observation
 */
export function answerRows(outputs, labels) {
  const names = Object.keys(outputs);
  const length = Math.max(0, ...names.map((name) => (Array.isArray(outputs[name]) ? outputs[name].length : 0)));
  return Array.from({ length }, (_, at) => names.flatMap((name) => cellsOf(name, Array.isArray(outputs[name]) ? outputs[name][at] : outputs[name], labels)));
}

/** @param {string} name @param {any} value @param {string[]} labels @returns {Cell[]} */
function cellsOf(name, value, labels) {
  const isList = Array.isArray(value) && value.every((one) => one === null || typeof one !== "object");
  if (isList && value.length === 1) return [{ label: name, value: value[0] }];
  if (!isList || value.length > MOST_FIGURES) return [{ label: name, value }];
  const of = labels.length === value.length ? labels : null;
  return value.map((one, at) => ({ label: of ? `${name} ${of[at]}` : `${name}[${at}]`, value: one }));
}

/** Whether two answers to one observation say the same: numbers to five digits. @param {Cell[]} first @param {Cell[]} second */
export function areSame(first, second) {
  return first.length === second.length && first.every((cell, at) => cell.label === second[at].label && isSame(cell.value, second[at].value));
}

/** @param {any} first @param {any} second */
function isSame(first, second) {
  if (typeof first !== "number" || typeof second !== "number") return JSON.stringify(first) === JSON.stringify(second);
  return Math.abs(first - second) <= 1e-5 * Math.max(1, Math.abs(first), Math.abs(second));
}

/** @param {number[]} numbers at least one */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A tag from the name of a file: `My Model v2.onnx` is `my-model-v2`. @param {string} filename */
export function tagOf(filename) {
  return filename.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^0-9a-z]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
}

/** Whether a file is a pickle, by its name or its first bytes (protocols 2 to 5). @param {string} filename @param {Uint8Array} head */
export function isPickle(filename, head) {
  return /\.(pkl|pickle|joblib)$/i.test(filename) || (head[0] === 0x80 && head[1] >= 2 && head[1] <= 5);
}
