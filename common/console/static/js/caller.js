// @ts-check
/** Who calls, and what they may do: `GET /keys/self`, asked once a page. */

import { ApiError, get } from "./api.js";

/**
 * @typedef {object} Caller
 * @property {string} id empty without a key
 * @property {"anonymous" | "key" | "token" | "system"} kind
 * @property {string} name
 * @property {string[]} scopes
 * @property {string[] | null} models those that they may use; null for all
 */

/** @type {Caller} */
const NOBODY = { id: "", kind: "anonymous", name: "", scopes: [], models: null };

/** @type {Promise<Caller> | undefined} */
let asked;

/** The caller; without any scope where nobody is signed in and somebody has to be. @returns {Promise<Caller>} */
export function caller() {
  asked ??= get("/keys/self", { anonymous: true }).catch((error) => {
    if (error instanceof ApiError && error.status === 401) return NOBODY;
    asked = undefined;
    throw error;
  });
  return asked;
}

/** Whether a caller has a scope; `admin` has all. @param {Caller} who @param {string} scope */
export function may(who, scope) {
  return who.scopes.includes(scope) || who.scopes.includes("admin");
}

/** Hide what needs a scope that the caller does not have. @param {Caller} who @param {ParentNode} [root] */
export function hideForbidden(who, root = document) {
  for (const element of root.querySelectorAll("[data-scope]")) {
    const scope = /** @type {HTMLElement} */ (element).dataset.scope ?? "";
    /** @type {HTMLElement} */ (element).hidden = !may(who, scope);
  }
}
