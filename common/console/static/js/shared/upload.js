// @ts-check
/** Sending files: with progress, with a checksum, and in parts that are sent again where the line breaks. */

import { ApiError, get, isAborted, send, signIn } from "../api.js";
import { sha256 } from "./sha256.js";

const TRIES = 4;
const PAUSE_MS = 1500;

/**
 * PUT a file; the server compares its checksum.
 * @param {string} path @param {Blob} file @param {(share: number) => void} onProgress
 * @returns {Promise<any>}
 */
export async function put(path, file, onProgress) {
  const digest = await sha256(file);
  return new Promise((resolve, reject) => {
    // `fetch` tells nothing of what was sent.
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("X-Checksum-Sha256", digest);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded / event.total));
    request.addEventListener("error", () => reject(new ApiError(0, "The file was not sent", "The connection broke; nothing was changed. Send it again.")));
    request.addEventListener("load", () => {
      const body = parsed(request.responseText);
      if (request.status === 401) signIn();
      if (request.status < 400) resolve(body);
      else reject(new ApiError(request.status, body?.title ?? `Answered ${request.status}`, body?.detail ?? "", { errors: body?.errors ?? [], body }));
    });
    request.send(file);
  });
}

/**
 * @typedef {object} Sending
 * @property {Record<string, any>} [details] more that is said of the file when it is begun
 * @property {(what: "Checking" | "Sending" | "Finishing", share: number) => void} [onProgress]
 * @property {AbortSignal} [signal] once it is set, what has arrived is dropped
 */

/**
 * A file in parts. One that broke off is gone on with, also after the page was loaded anew: parts that arrived stay.
 * @param {string} place where uploads are begun, as `/tasks/uploads`
 * @param {File} file @param {Sending} [options]
 * @returns {Promise<{id: string, answer: any}>} of the upload, and what the server makes of the whole
 */
export async function inParts(place, file, { details = {}, onProgress = () => {}, signal } = {}) {
  const digest = await sha256(file, (share) => {
    signal?.throwIfAborted();
    onProgress("Checking", share);
  });
  const asked = { ...details, filename: file.name, size_bytes: file.size, sha256: digest };
  const key = `atoll-upload ${place} ${JSON.stringify(asked)}`;
  const begun = (await goOn(place, key)) ?? (await send("POST", place, asked, { signal }));
  remember(key, begun.id);
  const here = new Set(begun.received ?? []);
  try {
    for (let number = 1; number <= begun.parts; number += 1) {
      onProgress("Sending", here.size / begun.parts);
      if (here.has(number)) continue;
      const part = file.slice((number - 1) * begun.part_bytes, number * begun.part_bytes);
      await again(() => send("PUT", `${place}/${begun.id}/parts/${number}`, part, { headers: { "Content-Type": "application/octet-stream" }, signal }));
      here.add(number);
    }
    onProgress("Finishing", 1);
    const answer = await again(() => send("POST", `${place}/${begun.id}`, undefined, { signal }));
    remember(key, null);
    return { id: begun.id, answer };
  } catch (error) {
    // Where no answer came, or the server could not just then, it is gone on with; all else ends it.
    if (!isAborted(error) && passes(error)) throw error;
    remember(key, null);
    await send("DELETE", `${place}/${begun.id}`).catch(() => {});
    throw error;
  }
}

/** An upload of the same file with the same details that broke off; null where there is none. @param {string} place @param {string} key */
async function goOn(place, key) {
  try {
    const id = localStorage.getItem(key);
    return id && (await get(`${place}/${id}`));
  } catch (error) {
    if (error instanceof ApiError && passes(error)) throw error;
    return null;
  }
}

/** @param {string} key @param {string | null} id */
function remember(key, id) {
  try {
    if (id === null) localStorage.removeItem(key);
    else localStorage.setItem(key, id);
  } catch {
    // A browser that keeps nothing begins anew.
  }
}

/** @param {unknown} error */
function passes(error) {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 502);
}

/** Try again where no answer came, or the server cannot just now. @param {() => Promise<any>} task */
async function again(task) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await task();
    } catch (error) {
      if (!passes(error) || tries >= TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tries));
    }
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
