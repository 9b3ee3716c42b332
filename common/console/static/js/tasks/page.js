// @ts-check
/** Tasks, newest first, as their clusters tell of them. */

import { get } from "../api.js";
import { emptyState, stateBadge } from "../blocks.js";
import { caller, may } from "../caller.js";
import { h } from "../dom.js";
import { ago, dateTime, duration } from "../format.js";
import { table } from "../table.js";
import { offer } from "../shared/filters.js";
import { paged } from "../shared/paged.js";
import { secondsBetween } from "../shared/times.js";
import { why } from "./why.js";

const shownAs = table(
  [
    { title: "Task", isHead: true, cell: (task) => h("span", { class: "cell-title" }, h("a", { class: "cell-link", href: `/console/tasks/${task.id}` }, task.name), h("span", { class: "mono" }, task.id)) },
    { title: "State", cell: (task) => stateBadge(task.state) },
    { title: "Cluster", cell: (task) => h("span", { class: "clip" }, task.cluster) },
    { title: "Why", cell: (task) => h("span", { class: "clip muted", title: why(task) }, why(task)) },
    { title: "Asked for", cell: (task) => h("span", { title: dateTime(task.created) }, ago(task.created)) },
    { title: "Took", isNumber: true, cell: (task) => duration(secondsBetween(task.started, task.finished)) },
  ],
  {
    key: (task) => task.id,
    caption: "Tasks, newest first",
    empty: () => (list.isFiltered() ? emptyState("No task is like that", "Choose other filters, or clear them.") : emptyState("There are no tasks yet", "A task is a program of yours that runs on a cluster.", submitLink())),
    version: (task) => JSON.stringify([task, ago(task.created), Math.round(secondsBetween(task.started, task.finished) ?? 0)]),
  },
);
const list = paged({ name: "tasks", one: "task", table: shownAs });

function submitLink() {
  const link = h("a", { class: "button", href: "/console/tasks/new" }, "Submit one");
  caller().then((who) => (link.hidden = !may(who, "submit"))).catch(() => {});
  return link;
}

get("/clusters")
  .then((found) => offer("cluster", found.clusters.map((/** @type {any} */ one) => one.name)))
  .catch(() => {});
