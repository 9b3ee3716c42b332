// @ts-check
/** What every page does: the menu of phones, the theme, who is signed in. */

import { send, signIn } from "../api.js";
import { caller, hideForbidden, may } from "../caller.js";
import { byId, fill, h, icon } from "../dom.js";
import { choose, chosen } from "../theme.js";
import { toastError } from "../toast.js";

const THEMES = /** @type {const} */ ({
  system: { next: "light", icon: "system", label: "Theme: as the system" },
  light: { next: "dark", icon: "sun", label: "Theme: light" },
  dark: { next: "system", icon: "theme", label: "Theme: dark" },
});

function themes() {
  const button = byId("theme-button");
  const show = () => {
    const now = THEMES[chosen()];
    fill(button, icon(now.icon));
    button.setAttribute("aria-label", now.label);
    button.title = now.label;
  };
  button.addEventListener("click", () => {
    choose(THEMES[chosen()].next);
    show();
  });
  show();
}

function menu() {
  const [button, sidebar, backdrop] = [byId("menu-button"), byId("sidebar"), byId("backdrop")];
  /** @param {boolean} open */
  const set = (open) => {
    sidebar.classList.toggle("is-open", open);
    backdrop.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) sidebar.querySelector("a")?.focus();
    else if (sidebar.contains(document.activeElement)) button.focus();
  };
  button.addEventListener("click", () => set(!sidebar.classList.contains("is-open")));
  backdrop.addEventListener("click", () => set(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && sidebar.classList.contains("is-open")) set(false);
  });
}

async function whoCalls() {
  const who = await caller();
  hideForbidden(who);
  const place = byId("caller");
  if (who.kind !== "anonymous") fill(place, ...person(who));
  // Where everybody may do everything, nobody has to sign in.
  else if (!may(who, "admin")) fill(place, h("button", { type: "button", class: "button small", onclick: signIn }, icon("sign-in"), "Sign in"));
  place.hidden = !place.childElementCount;
}

/** @param {import("../caller.js").Caller} who */
function person(who) {
  const name = who.name || who.id;
  const out = h("button", { type: "button", class: "button ghost small square", "aria-label": "Sign out", title: "Sign out", onclick: leave }, icon("sign-out"));
  return [
    icon("user"),
    h("div", { class: "caller-text" }, h("span", { class: "caller-name", title: name }, name), h("span", { class: "caller-scopes" }, who.scopes.join(", "))),
    out,
  ];
}

async function leave() {
  try {
    await send("DELETE", "/console/session", undefined, { anonymous: true });
    location.assign("/console/sign-in");
  } catch (error) {
    toastError(error);
  }
}

// Where one signs in there is no frame around the page.
if (document.getElementById("sidebar")) {
  themes();
  menu();
  // Without an answer everything is shown; what is not allowed is refused by the API.
  whoCalls().catch(() => {});
}
