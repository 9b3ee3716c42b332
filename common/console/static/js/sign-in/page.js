// @ts-check
/** Signing in with a key: it is sent once, as any program sends it, and kept in a cookie. */

import { ApiError, readable, send } from "../api.js";
import { caller } from "../caller.js";
import { byId, fill, h, setText } from "../dom.js";
import { nextPage } from "./next.js";

const DAYS = 30;
const next = nextPage(new URLSearchParams(location.search).get("next"), location.origin);
const [form, key, submit] = [byId("sign-in"), byId("key"), byId("submit")];

const PROBLEMS = /** @type {Record<string, string>} */ ({
  state: "The sign-in took too long, or was begun in another window. Try again.",
  refused: "You were not signed in there. Try again, or sign in with a key.",
  away: "The identity provider cannot be reached now. Try again, or sign in with a key.",
  exchange: "The identity provider gave no token. Whoever runs this server finds the reason in its log.",
  token: "The identity provider's token is not for this server. Whoever runs it finds the reason in its log.",
  roles: "You are known, but have no role here. Ask whoever runs this server for one, such as Atoll.Predict.",
});
const parameters = new URLSearchParams(location.search);
setText(byId("problem"), PROBLEMS[parameters.get("problem") ?? ""] ?? "");
const provider = /** @type {HTMLAnchorElement | null} */ (document.getElementById("provider"));
if (provider) provider.href += `?next=${encodeURIComponent(next)}`;

/** @param {string} text */
function complain(text) {
  setText(byId("key-error"), text);
  if (text) {
    key.setAttribute("aria-invalid", "true");
    key.select();
  } else {
    key.removeAttribute("aria-invalid");
  }
}

form.addEventListener("submit", async (/** @type {Event} */ event) => {
  event.preventDefault();
  complain("");
  const credential = key.value.trim();
  if (!/^[\x21-\x7e]+$/.test(credential)) {
    complain("A key has no spaces and no letters with accents; copy it whole.");
    return;
  }
  submit.disabled = true;
  try {
    const days = byId("stay").checked ? `?days=${DAYS}` : "";
    await send("POST", `/console/session${days}`, undefined, { headers: { Authorization: `Bearer ${credential}` }, anonymous: true });
    location.replace(next);
  } catch (error) {
    complain(told(error));
    submit.disabled = false;
  }
});

/** @param {unknown} error */
function told(error) {
  if (error instanceof ApiError && error.status === 401) return `This key is not taken: ${error.detail}.`;
  return readable(error).detail;
}

caller()
  .then((who) => {
    if (!who.scopes.length) return;
    const open = who.kind === "anonymous";
    const text = open ? "Nobody has to sign in here; a key lets you do what it is for. " : `You are signed in as ${who.name || who.id}. Another key takes its place. `;
    fill(byId("why"), text, h("a", { href: next }, "Go on without"));
  })
  .catch(() => {});
key.focus();
