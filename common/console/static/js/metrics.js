// @ts-check
/** The figures of `GET /metrics` (Prometheus' text format), and what follows from two looks at them. Pure. */

/** @typedef {{labels: Record<string, string>, value: number}} Sample */
/** @typedef {Map<string, Sample[]>} Samples by the name of the metric */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @param {string} text @returns {Samples} */
export function parse(text) {
  /** @type {Samples} */
  const found = new Map();
  for (const line of text.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const match = LINE.exec(line);
    if (!match) continue;
    const [, name, inner, value] = match;
    /** @type {Record<string, string>} */
    const labels = {};
    for (const [, label, raw] of (inner ?? "").matchAll(LABEL)) {
      labels[label] = raw.replace(/\\(.)/g, (_, character) => (character === "n" ? "\n" : character));
    }
    const samples = found.get(name) ?? [];
    samples.push({ labels, value: value === "+Inf" ? Infinity : Number(value) });
    found.set(name, samples);
  }
  return found;
}

/**
 * The sum of a metric's samples, of those that `where` wants.
 * @param {Samples} samples @param {string} name @param {(labels: Record<string, string>) => boolean} [where]
 */
export function sum(samples, name, where = () => true) {
  let total = 0;
  for (const { labels, value } of samples.get(name) ?? []) if (where(labels)) total += value;
  return total;
}

/**
 * A histogram's buckets, summed: how many values were at most as large as each bound.
 * @param {Samples} samples @param {string} name @param {(labels: Record<string, string>) => boolean} [where]
 * @returns {Map<number, number>}
 */
export function buckets(samples, name, where = () => true) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) ?? []) {
    if (!where(labels)) continue;
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    found.set(bound, (found.get(bound) ?? 0) + value);
  }
  return found;
}

/**
 * The value below which a share of all values are, as Prometheus' `histogram_quantile` tells it: within a bucket they
 * are taken to be spread evenly. Null without values; the last bound where it lies beyond it.
 * @param {Map<number, number>} counts @param {number} share 0 to 1
 */
export function quantile(counts, share) {
  const bounds = [...counts.keys()].sort((a, b) => a - b);
  const all = counts.get(Infinity) ?? 0;
  if (!all) return null;
  const rank = share * all;
  let [lower, below] = [0, 0];
  for (const bound of bounds) {
    const count = counts.get(bound) ?? 0;
    if (count >= rank && count > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound === Infinity ? lower : bound, count];
  }
  return lower;
}

/**
 * What was counted between two looks. Counters that went down began anew: then all that they count is new.
 * @param {Map<number, number>} now @param {Map<number, number> | null} before
 */
export function since(now, before) {
  if (!before || (before.get(Infinity) ?? 0) > (now.get(Infinity) ?? 0)) return now;
  return new Map([...now].map(([bound, count]) => [bound, Math.max(0, count - (before.get(bound) ?? 0))]));
}
