// @ts-check
/** Files as tables of texts: CSV with any of its separators, or a text a line. */

const MOST_BYTES = 20_000_000;
const MOST_ROWS = 100_000;
/** What people call the column with the texts. */
const NAMED = /^(text|texts|sentence|review|comment|message|tweet|content|body|feedback|answer|description)$/i;
const TABULAR = /\.(csv|tsv)$/i;

/**
 * @typedef {object} Found
 * @property {string} name of the file
 * @property {string[][]} lines fields of all lines that have something in them
 * @property {boolean} isHeader whether the first of them seems to name the columns
 * @property {boolean} isTable
 * @property {string} told what to look at
 */
/** @typedef {{columns: string[], rows: string[][], column: number, isCut: boolean}} Table */

/** Said as it is to the one who chose the file. */
export class Unreadable extends Error {}

/**
 * @param {File} file @param {any} kit
 * @returns {Promise<Found>}
 * @throws {Unreadable} it is too large, empty, or no text
 */
export async function read(file, kit) {
  if (file.size > MOST_BYTES) throw new Unreadable(`It has ${kit.format.bytes(file.size)}; at most ${kit.format.bytes(MOST_BYTES)} are taken at once. Send it in parts.`);
  const { text, told } = decoded(new Uint8Array(await file.arrayBuffer()));
  const isTable = TABULAR.test(file.name) || file.type === "text/csv";
  const lines = isTable ? kit.rowsOf(text, MOST_ROWS + 2, separatorOf(text)).filter(hasSomething) : linesOf(text);
  if (!lines.length) throw new Unreadable("There is nothing in it. Choose a CSV file with a header, or a text file with a text a line.");
  return { name: file.name, lines, isHeader: isTable && lines.length > 1 && namesColumns(lines[0]), isTable, told };
}

/** @param {Uint8Array} bytes */
function decoded(bytes) {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw new Unreadable("This is a workbook or an archive. Save the sheet as CSV, and choose that.");
  const label = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  if (label === "utf-8" && bytes.subarray(0, 4096).includes(0)) throw new Unreadable("This is no text. Choose a CSV file, or a text file with a text a line.");
  try {
    return { text: new TextDecoder(label, { fatal: true }).decode(bytes), told: "" };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), told: "It is not in UTF-8, and was read as Windows-1252: look whether accents are right." };
  }
}

/** @param {string[][]} lines @param {boolean} isHeader @returns {Table} */
export function tableOf(lines, isHeader) {
  const width = lines.slice(0, 1000).reduce((most, row) => Math.max(most, row.length), 0);
  const columns = Array.from({ length: width }, (_, at) => (isHeader && lines[0][at]?.trim()) || (width === 1 ? "text" : `column ${at + 1}`));
  const rows = lines.slice(isHeader ? 1 : 0);
  return { columns, rows: rows.slice(0, MOST_ROWS), column: columnOf(columns, rows), isCut: rows.length > MOST_ROWS };
}

/** @param {string} text */
function linesOf(text) {
  return text.split(/\r\n|\r|\n/).map((line) => [line]).filter(hasSomething);
}

/** @param {string[]} row */
function hasSomething(row) {
  return row.some((cell) => cell.trim());
}

/** What stands most often in the first line, outside of quotes. @param {string} text */
function separatorOf(text) {
  const head = (text.match(/^[^\n]*/)?.[0] ?? "").replace(/"[^"]*"/g, "");
  const count = (/** @type {string} */ char) => head.split(char).length;
  return [",", ";", "\t"].reduce((best, char) => (count(char) > count(best) ? char : best), ",");
}

/** Whether a row names columns: short words, none empty, none a number, none said twice. @param {string[]} row */
function namesColumns(row) {
  const names = row.map((cell) => cell.trim());
  if (names.some((name) => NAMED.test(name))) return true;
  const areNames = names.every((name) => name && name.length <= 40 && Number.isNaN(Number(name)) && name.split(/\s+/).length <= 3);
  return areNames && names.length > 1 && new Set(names).size === names.length;
}

/** The column called so, else the one with the longest texts. @param {string[]} columns @param {string[][]} rows */
function columnOf(columns, rows) {
  const named = columns.findIndex((name) => NAMED.test(name));
  if (named >= 0) return named;
  const some = rows.slice(0, 200);
  const lengths = columns.map((_, at) => some.reduce((sum, row) => sum + (row[at]?.length ?? 0), 0));
  return Math.max(0, lengths.indexOf(Math.max(...lengths)));
}
