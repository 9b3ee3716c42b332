// @ts-check
/** The API by `fetch`: answers as values, problems as errors that people can read. */

/**
 * What went wrong, from problem+json (RFC 9457), or because no answer came (`status` 0).
 */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} title
   * @param {string} detail
   * @param {{errors?: {field: string, message: string}[], requestId?: string, retryAfterS?: number, body?: any}} [more]
   */
  constructor(status, title, detail, more = {}) {
    super(detail || title);
    this.name = "ApiError";
    this.status = status;
    this.title = title;
    this.detail = detail;
    /** Wrong fields, e.g. `body.estimators`. */
    this.errors = more.errors ?? [];
    this.requestId = more.requestId ?? "";
    this.retryAfterS = more.retryAfterS ?? null;
    /** All members of the problem. */
    this.body = more.body ?? null;
  }
}

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {"json" | "text" | "blob" | "response"} [as] what the answer is read as; `response` is the whole of it
 * @property {boolean} [anonymous] a 401 is an error like others; else it leads to where one signs in
 */

/** Answers with an ETag, by path: asked about instead of fetched again. @type {Map<string, {etag: string, value: any}>} */
const known = new Map();
const MOST_KNOWN = 200;

/**
 * GET. The same object comes back while the server says that nothing has changed (304).
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function get(path, options = {}) {
  const kept = options.as === undefined || options.as === "json" ? known.get(path) : undefined;
  const headers = { ...options.headers, ...(kept ? { "If-None-Match": kept.etag } : {}) };
  const response = await ask(path, { headers, signal: options.signal }, options);
  if (response.status === 304 && kept) return kept.value;
  const value = await read(response, options.as);
  const etag = response.headers.get("ETag");
  if (etag && (options.as === undefined || options.as === "json")) {
    known.delete(path);
    known.set(path, { etag, value });
    if (known.size > MOST_KNOWN) known.delete(/** @type {string} */ (known.keys().next().value));
  }
  return value;
}

/**
 * POST, PUT, PATCH or DELETE. A body that is no Blob, FormData or text is sent as JSON.
 * @param {"POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path
 * @param {any} [body]
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function send(method, path, body, options = {}) {
  const headers = { ...options.headers };
  let sent = body;
  if (body !== undefined && !isRaw(body)) {
    sent = JSON.stringify(body);
    headers["Content-Type"] ??= "application/json";
  }
  const response = await ask(path, { method, body: sent, headers, signal: options.signal }, options);
  return read(response, options.as);
}

/** Forget what is known: after signing in or out it may be another's. */
export function forget() {
  known.clear();
}

/**
 * An error for people: what happened, and what it was about.
 * @param {unknown} error
 * @returns {{title: string, detail: string}}
 */
export function readable(error) {
  if (error instanceof ApiError) {
    const first = error.errors.map((one) => `${one.field}: ${one.message}`).join("; ");
    return { title: error.title, detail: first || error.detail };
  }
  return { title: "Something went wrong on this page", detail: error instanceof Error ? error.message : String(error) };
}

/** Whether a request was called off by the page itself. @param {unknown} error */
export function isAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/** @param {any} body */
function isRaw(body) {
  return typeof body === "string" || body instanceof Blob || body instanceof FormData || body instanceof ArrayBuffer;
}

/** @param {string} path @param {RequestInit} init @param {Options} options */
async function ask(path, init, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-cache", ...init });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError(0, "The server does not answer", "It is stopped, starts anew, or cannot be reached.");
  }
  if (response.ok || response.status === 304) return response;
  if (response.status === 401 && !options.anonymous) signIn();
  throw await problem(response);
}

/** Go to where one signs in, and come back to this page. */
export function signIn() {
  const here = location.pathname + location.search + location.hash;
  location.replace(`/console/sign-in?next=${encodeURIComponent(here)}`);
}

/** @param {Response} response @param {Options["as"]} as */
function read(response, as = "json") {
  if (as === "response") return response;
  if (as === "text") return response.text();
  if (as === "blob") return response.blob();
  return response.status === 204 ? null : response.json();
}

/** @param {Response} response */
async function problem(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not from Atoll: a proxy before it answers pages of its own.
  }
  const told = Number(response.headers.get("Retry-After"));
  return new ApiError(response.status, body?.title ?? `Answered ${response.status}`, body?.detail ?? response.statusText, {
    errors: Array.isArray(body?.errors) ? body.errors : [],
    requestId: body?.request_id ?? response.headers.get("X-Request-ID") ?? "",
    retryAfterS: told > 0 ? told : undefined,
    body,
  });
}
