// @ts-check
/** Numbers, sizes and times for people. Pure, but for the language of the browser. */

export const NONE = "–";

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** `1,234`; from a hundred thousand on `123K`. @param {number | null | undefined} value */
export function integer(value) {
  if (!isNumber(value)) return NONE;
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** With as many digits as tell something. @param {number | null | undefined} value @param {number} [digits] */
export function number(value, digits = 4) {
  if (!isNumber(value)) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(digits - 1);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: Math.max(digits, Math.ceil(Math.log10(size + 1))) }).format(
    value,
  );
}

/** A share of 1 as `12.3%`. @param {number | null | undefined} value @param {number} [digits] */
export function percent(value, digits = 1) {
  if (!isNumber(value)) return NONE;
  return `${(value * 100).toFixed(value === 0 || value === 1 ? 0 : digits)}%`;
}

/** Requests a second. @param {number | null | undefined} value */
export function rate(value) {
  if (!isNumber(value)) return NONE;
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(value < 1 ? 2 : 1) : integer(value);
}

/** `820 µs`, `12 ms`, `3.4 s`, `5 min 20 s`, `2 h 5 min`, `3 d 4 h`. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (!isNumber(seconds) || seconds < 0) return NONE;
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digitsOf(seconds * 1000)} ms`;
  if (seconds < 60) return `${digitsOf(seconds)} s`;
  const all = Math.round(seconds);
  if (all < 3600) return joined(Math.floor(all / 60), "min", all % 60, "s");
  if (all < 86_400) return joined(Math.floor(all / 3600), "h", Math.floor((all % 3600) / 60), "min");
  return joined(Math.floor(all / 86_400), "d", Math.floor((all % 86_400) / 3600), "h");
}

/** `512 B`, `3.4 MB` (powers of 1000). @param {number | null | undefined} value */
export function bytes(value) {
  if (!isNumber(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : digitsOf(size)} ${units[unit]}`;
}

/** `5 minutes ago`, `in 2 hours`. @param {string | Date | null | undefined} when @param {number} [nowMs] */
export function ago(when, nowMs = Date.now()) {
  const at = timeOf(when);
  if (at === null) return NONE;
  const seconds = (at - nowMs) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  if (size < 60) return relative.format(Math.round(seconds), "second");
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}

/** Date and time in the browser's zone. @param {string | Date | null | undefined} when */
export function dateTime(when) {
  const at = timeOf(when);
  return at === null ? NONE : moment.format(at);
}

/** `3 jobs`, `1 job`. @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${integer(count)} ${count === 1 ? one : many}`;
}

/** @param {any} value @returns {value is number} */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** @param {number} value */
function digitsOf(value) {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(2));
}

/** @param {number} first @param {string} unit @param {number} second @param {string} smaller */
function joined(first, unit, second, smaller) {
  return second ? `${first} ${unit} ${second} ${smaller}` : `${first} ${unit}`;
}

/** @param {string | Date | null | undefined} when */
function timeOf(when) {
  if (when === null || when === undefined) return null;
  const at = new Date(when).getTime();
  return Number.isNaN(at) ? null : at;
}
