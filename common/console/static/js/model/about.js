// @ts-check
/** What a model is: its state, its routes, the prefixes that old clients use. */

import { code, facts, notice, stateBadge } from "../blocks.js";
import { h } from "../dom.js";
import { duration, NONE } from "../format.js";

/** @param {any} model as `GET /models` tells it */
export function aboutView(model) {
  const failed = Object.entries(model.failed_versions ?? {});
  return h(
    "section",
    { class: "card" },
    h("div", { class: "card-head" }, h("h2", null, "About")),
    h(
      "div",
      { class: "card-body stack" },
      facts([
        ["Name", h("span", { class: "mono" }, model.name)],
        ["State", stateBadge(model.state)],
        ["Made ready in", duration(model.load_s)],
        ["Old prefixes", model.old_prefixes.length ? h("span", { class: "mono" }, model.old_prefixes.join(", ")) : NONE],
      ]),
      ...failed.map(([version, why]) => notice("warn", `Version ${version} could not be loaded`, String(why))),
      h("h3", { class: "sheet-title" }, "Routes"),
      code(model.routes.join("\n"), { label: "Routes of the model" }),
    ),
  );
}
