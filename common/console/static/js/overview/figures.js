// @ts-check
/** Figures of models from looks at `/metrics`. Pure. */

import { buckets, quantile, since, sum } from "../metrics.js";

/** @typedef {import("../metrics.js").Samples} Samples */
/** @typedef {{name: string, title: string, state: string, reason: string | null, routes: string[], old_prefixes: string[], failed_versions: Record<string, string>}} Model */
/** @typedef {{atMs: number, samples: Samples}} Look */
/**
 * @typedef {object} Figures
 * @property {number | null} rate requests a second between the last two looks
 * @property {number[]} rates the same between all looks that are kept, oldest first
 * @property {number} requests answered while looked at, or since the start if none was
 * @property {number | null} p50 seconds
 * @property {number | null} p99 seconds
 * @property {number} errors answers of status 500 and above, of the same requests
 * @property {number | null} hits share of cacheable items that came from the cache
 * @property {boolean} isRecent whether these are of the time looked at
 */

const REQUESTS = "atoll_http_requests_total";
const SECONDS = "atoll_http_request_seconds";

/** Which routes are a model's: by the first part of their path. @param {Model} model */
export function ownsRoute(model) {
  const heads = new Set([
    ...model.routes.map((route) => headOf(route.split(" ")[1])),
    ...model.old_prefixes.map(headOf),
  ]);
  return (/** @type {Record<string, string>} */ labels) => heads.has(headOf(labels.route ?? ""));
}

/**
 * @param {Look[]} looks oldest first, at least one
 * @param {(labels: Record<string, string>) => boolean} where
 * @param {string | null} model its name, for the cache; null for all
 * @returns {Figures}
 */
export function figures(looks, where, model = null) {
  const last = looks[looks.length - 1];
  const first = looks.length > 1 ? looks[0] : null;
  const rates = looks.slice(1).map((look, index) => rateBetween(looks[index], look, where));
  const isRecent = first !== null && countOf(last, where) > countOf(first, where);
  const from = isRecent ? first : null;
  const times = since(buckets(last.samples, SECONDS, where), from && buckets(from.samples, SECONDS, where));
  return {
    rate: rates.at(-1) ?? null,
    rates,
    requests: countOf(last, where) - (from ? countOf(from, where) : 0),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    errors: failuresOf(last, where) - (from ? failuresOf(from, where) : 0),
    hits: hitsOf(last.samples, model),
    isRecent,
  };
}

/** @param {Look} before @param {Look} after @param {(labels: Record<string, string>) => boolean} where */
function rateBetween(before, after, where) {
  const passedS = (after.atMs - before.atMs) / 1000;
  return passedS > 0 ? Math.max(0, countOf(after, where) - countOf(before, where)) / passedS : 0;
}

/** @param {Look} look @param {(labels: Record<string, string>) => boolean} where */
function countOf(look, where) {
  return sum(look.samples, REQUESTS, where);
}

/** @param {Look} look @param {(labels: Record<string, string>) => boolean} where */
function failuresOf(look, where) {
  return sum(look.samples, REQUESTS, (labels) => where(labels) && Number(labels.status) >= 500);
}

/** @param {Samples} samples @param {string | null} model */
function hitsOf(samples, model) {
  const isModels = (/** @type {Record<string, string>} */ labels) => model === null || labels.model === model;
  const count = (/** @type {string} */ outcome) =>
    sum(samples, "atoll_cache_items_total", (labels) => labels.outcome === outcome && isModels(labels)) +
    // Of whole answers nobody counts whose they are.
    (model === null ? sum(samples, "atoll_cache_answers_total", (labels) => labels.outcome === outcome) : 0);
  const [hits, misses] = [count("hit"), count("miss")];
  return hits + misses ? hits / (hits + misses) : null;
}

/** @param {string} path */
function headOf(path) {
  // Old clients send two slashes.
  return path.replace(/^\/+/, "").split("/")[0];
}
