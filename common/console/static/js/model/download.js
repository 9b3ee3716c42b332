// @ts-check
/** Files that the page makes itself. */

import { h } from "../dom.js";

const KEPT_MS = 10_000;

/** @param {string} filename @param {string} text @param {string} [type] */
export function download(filename, text, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: address, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}
