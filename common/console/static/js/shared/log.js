// @ts-check
/** A log that grows: it follows its end until somebody scrolls up. */

import { emptyState } from "../blocks.js";
import { fill, h } from "../dom.js";

// More than this is downloaded, not read in a page.
const MOST_CHARS = 1_000_000;

/**
 * @param {HTMLElement} place
 * @param {{label: string, empty: string, bar?: HTMLElement}} options `bar` is where what belongs to the log stands already
 * @returns {{append: (text: string) => void, clear: () => void}}
 */
export function logView(place, { label, empty, bar }) {
  const text = h("code");
  const body = h("pre", { class: "log", tabindex: 0, role: "region", "aria-label": label }, text);
  const cut = h("p", { class: "hint", hidden: true }, "The beginning is left out here; the whole of it can be downloaded.");
  const follow = h("input", { type: "checkbox", checked: true });
  const head = h("label", { class: "check" }, follow, h("span", null, "Follow the end"));
  let length = 0;
  const clear = () => {
    length = 0;
    cut.hidden = true;
    fill(text);
    head.hidden = true;
    fill(place, emptyState("Nothing is written there", empty));
  };
  body.addEventListener("scroll", () => {
    follow.checked = body.scrollHeight - body.scrollTop - body.clientHeight < 24;
  });
  follow.addEventListener("change", () => follow.checked && body.scrollTo(0, body.scrollHeight));
  bar?.prepend(head);
  clear();
  return {
    clear,
    append(added) {
      if (!added) return;
      if (body.parentElement !== place) fill(place, !bar && head, cut, body);
      head.hidden = false;
      const isFollowing = follow.checked;
      text.append(added);
      length += added.length;
      while (length > MOST_CHARS && text.childNodes.length > 1) {
        length -= text.firstChild?.textContent?.length ?? 0;
        text.firstChild?.remove();
        cut.hidden = false;
      }
      if (isFollowing) body.scrollTop = body.scrollHeight;
    },
  };
}
