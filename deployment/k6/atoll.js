// What the load scripts share: where Atoll is, the key, and a line for each request from which graphs are drawn.

export const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:7071').replace(/\/+$/, '');

/**
 * A whole number from the environment.
 * @param {string} name
 * @param {number} otherwise
 * @returns {number}
 */
export function whole(name, otherwise) {
  const given = __ENV[name];
  const value = given === undefined || given === '' ? otherwise : Number(given);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is ${given}; give a whole number from 1`);
  return value;
}

/**
 * A share from the environment, from 0 to 1.
 * @param {string} name
 * @param {number} otherwise
 * @returns {number}
 */
export function share(name, otherwise) {
  const given = __ENV[name];
  const value = given === undefined || given === '' ? otherwise : Number(given);
  if (!(value >= 0 && value <= 1)) throw new Error(`${name} is ${given}; give a number from 0 to 1`);
  return value;
}

/**
 * Headers with the key of ATOLL_KEY, if there is one, and the name under which a request is counted.
 * @param {string} name
 * @param {Object<string, string>} [headers]
 */
export function asking(name, headers) {
  const key = __ENV.ATOLL_KEY ? { Authorization: `Bearer ${__ENV.ATOLL_KEY}` } : {};
  return { headers: { 'Content-Type': 'application/json', ...key, ...headers }, tags: { name }, timeout: '60s' };
}

/**
 * With SAMPLES=1: one line a request on the console, `sample,BEGAN_MS,TOOK_MS,STATUS,NAME`, for benchmarks.response_times.
 * @param {string} name
 * @param {import('k6/http').Response} response
 */
export function note(name, response) {
  if (!__ENV.SAMPLES) return;
  const took = response.timings.duration;
  console.log(`sample,${Math.round(Date.now() - took)},${took.toFixed(1)},${response.status},${name}`);
}

/**
 * The body as JSON, or null where it is none: a broken answer is a failed check, not an iteration cut short.
 * @param {import('k6/http').Response} response
 * @returns {any}
 */
export function body(response) {
  try {
    return response.json();
  } catch {
    return null;
  }
}
