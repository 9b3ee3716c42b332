// @ts-check
/** The settings in effect, API keys, and the audit log. */

import { byId, fill, h } from "../dom.js";
import { tabs } from "../tabs.js";
import { showAudit } from "./audit.js";
import { showConfiguration } from "./configuration.js";
import { showKeys } from "./keys.js";

const parts = [
  { id: "configuration", title: "Configuration", show: showConfiguration },
  { id: "keys", title: "Keys", show: showKeys },
  { id: "audit", title: "Audit log", show: showAudit },
];
/** @type {Set<string>} */
const begun = new Set();

fill(
  byId("tabs"),
  tabs(
    parts.map(({ id, title, show }) => {
      const panel = h("div", { class: "panel" });
      // Asked for when it is looked at.
      const onShow = () => {
        if (!begun.has(id)) show(panel);
        begun.add(id);
      };
      return { id, title, panel, onShow };
    }),
    { label: "Settings" },
  ),
);
