// @ts-check
/** The configured clusters, as each told a few seconds ago. */

import { get, readable } from "../api.js";
import { emptyState, errorState, facts, pageLink, stateBadge } from "../blocks.js";
import { byId, fill, h, setText } from "../dom.js";
import { duration, integer, NONE, percent } from "../format.js";
import { poll } from "../poll.js";

const EVERY_MS = 5000;
let shown = "";

/** @param {any} cluster */
function card(cluster) {
  const title = cluster.title || cluster.name;
  const told = facts([
    ["Kind", cluster.kind],
    ["Running", integer(cluster.running)],
    ["Pending", integer(cluster.pending)],
    ["Load", percent(cluster.load, 0)],
    ["Version", cluster.version || NONE],
    ["Takes", [cluster.takes_arrays && "arrays", cluster.takes_dependencies && "dependencies"].filter(Boolean).join(", ") || "single tasks"],
    ["Tasks", pageLink("/console/tasks", `/console/tasks?cluster=${encodeURIComponent(cluster.name)}`, "Those on this cluster")],
  ]);
  told.classList.add("is-wide");
  return h(
    "section",
    { class: "card", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", null, title), stateBadge(cluster.state)),
    h("div", { class: "card-body stack" }, cluster.detail && h("p", { class: cluster.state === "up" ? "muted" : "field-error" }, cluster.detail), told, partitions(cluster, title)),
  );
}

/** @param {any} cluster @param {string} title */
function partitions(cluster, title) {
  if (!cluster.partitions.length) return null;
  const heads = ["Partition", "State", "Nodes", "Idle", "CPUs", "Idle CPUs", "Time limit"];
  const rows = cluster.partitions.map((/** @type {any} */ one) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, one.is_default ? `${one.name} (default)` : one.name),
      h("td", null, stateBadge(one.state)),
      ...[one.nodes, one.idle_nodes, one.cpus, one.idle_cpus].map((value) => h("td", { class: "num" }, integer(value))),
      h("td", { class: "num" }, duration(one.max_time_s)),
    ),
  );
  const head = h("thead", null, h("tr", null, ...heads.map((text, at) => h("th", { scope: "col", class: at > 1 ? "num" : null }, text))));
  return h("div", { class: "table-wrap framed", tabindex: 0, role: "region", "aria-label": `Partitions of ${title}` }, h("table", { class: "table" }, head, h("tbody", null, ...rows)));
}

/** @param {AbortSignal} signal */
async function look(signal) {
  const { clusters } = await get("/clusters", { signal });
  const now = JSON.stringify(clusters);
  if (now !== shown) fill(byId("clusters"), ...(clusters.length ? clusters.map(card) : [emptyState("No clusters are configured", "Name the file that describes them in CLUSTERS_FILE.")]));
  shown = now;
  setText(byId("live"), "Live");
  byId("live").classList.remove("is-off");
}

const looking = poll(look, {
  everyMs: EVERY_MS,
  onError(error) {
    setText(byId("live"), readable(error).title);
    byId("live").classList.add("is-off");
    if (!shown) fill(byId("clusters"), errorState(error, () => looking.now()));
  },
});
