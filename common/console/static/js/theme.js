// @ts-check
/** Light, dark, or as the system says. `themechange` is told to the window, for what is drawn in colours of its own. */

/** @typedef {"system" | "light" | "dark"} Theme */

const KEY = "atoll-theme";

/** What was chosen. @returns {Theme} */
export function chosen() {
  const set = document.documentElement.dataset.theme;
  return set === "light" || set === "dark" ? set : "system";
}

/** What is shown. @returns {"light" | "dark"} */
export function shown() {
  const theme = chosen();
  if (theme !== "system") return theme;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @param {Theme} theme */
export function choose(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage it holds for this page.
  }
  tell();
}

/** A colour or size of `tokens.css` as it is now, e.g. `token("accent")`. @param {string} name */
export function token(name) {
  // `light-dark()` is resolved where a colour is used, not where it is named.
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function tell() {
  dispatchEvent(new CustomEvent("themechange", { detail: shown() }));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
