// @ts-check
/** A task: its way so far, its log as it grows, the files that it left. */

import { ApiError, get, send } from "../api.js";
import { caller, may } from "../caller.js";
import { code, emptyState, errorState, facts, pageLink, stateBadge } from "../blocks.js";
import { ask } from "../dialog.js";
import { byId, fill, h, setText } from "../dom.js";
import { bytes, dateTime, duration, integer } from "../format.js";
import { poll } from "../poll.js";
import { table } from "../table.js";
import { tabs } from "../tabs.js";
import { attempt } from "../toast.js";
import { secondsBetween } from "../shared/times.js";
import { inLine } from "../shared/value.js";
import { followLog } from "./log.js";
import { steps } from "./steps.js";
import { why } from "./why.js";

const EVERY_MS = 2000;
const id = decodeURIComponent(location.pathname.split("/").at(-1) ?? "");
const path = `/tasks/${encodeURIComponent(id)}`;

/** @type {any} */
let shown = null;
let filesOf = "";
let mayChange = true;
const panels = { log: h("div", { class: "panel" }), files: h("div", { class: "panel" }), config: h("div", { class: "panel" }), more: h("div", { class: "panel" }) };
const log = followLog(panels.log, path);

const files = table(
  [
    { title: "File", isHead: true, cell: (file) => h("a", { class: "cell-link mono", href: file.link, download: file.path.split("/").at(-1) }, file.path) },
    { title: "Size", isNumber: true, cell: (file) => bytes(file.size_bytes) },
  ],
  { key: (file) => file.path, caption: "Files that the task left", empty: () => emptyState("It left no files", "What lies in ATOLL_OUTPUT_DIR in the end is brought here.") },
);

/** @param {any} task */
function show(task) {
  if (!shown) begin(task);
  shown = task;
  fill(byId("badge"), stateBadge(task.state));
  byId("cancel").hidden = !mayChange || Boolean(task.finished) || task.cancel_asked;
  byId("retry").hidden = !mayChange || !task.finished;
  fill(byId("steps"), ...steps(task).map((step) => h("li", { class: step.isBad ? "is-bad" : step.isDone ? "is-done" : null }, h("span", null, step.title), h("span", null, step.at ? dateTime(step.at) : "not yet"))));
  fill(byId("reason"), task.reason && h("p", { class: task.finished && task.state !== "succeeded" ? "field-error" : "muted", "aria-live": "polite" }, why(task)));
  const told = facts(factsOf(task));
  told.classList.add("is-wide");
  fill(byId("facts"), told);
  fill(panels.more, ...elementsOf(task));
}

/** @param {any} task */
function begin(task) {
  const all = [
    { id: "log", title: "Log", panel: panels.log },
    { id: "files", title: "Files", panel: panels.files },
    { id: "config", title: "Config", panel: panels.config },
  ];
  if (task.elements.length) all.push({ id: "elements", title: "Elements", panel: panels.more });
  fill(byId("tabs"), tabs(all, { label: "About this task" }));
  fill(panels.config, code(JSON.stringify(task.config, null, 2), { label: "Config" }));
  fill(panels.files, emptyState("No files yet", "They are brought here when the task has finished."));
  setText(byId("title"), task.name);
  document.title = `${task.name} · Atoll`;
}

/** @param {any} task @returns {[string, any][]} */
function factsOf(task) {
  /** @type {[string, any][]} */
  const pairs = [
    ["Id", h("span", { class: "mono" }, task.id)],
    ["Cluster", pageLink("/console/clusters", "/console/clusters", task.cluster)],
    ["On its cluster", h("span", { class: "mono" }, task.cluster_job_id ?? task.cluster_name)],
    ["Attempt", integer(task.attempt)],
    [task.finished ? "Took" : "Runs for", duration(secondsBetween(task.started, task.finished))],
  ];
  if (task.owner) pairs.push(["Of", task.owner]);
  if (task.exit_code !== null) pairs.push(["Exit code", `${task.exit_code}${task.signal ? `, signal ${task.signal}` : ""}`]);
  if (task.nodes.length) pairs.push(["Nodes", task.nodes.join(", ")]);
  if (task.cpu_time_s !== null) pairs.push(["CPU time", duration(task.cpu_time_s)]);
  if (task.peak_memory_bytes !== null) pairs.push(["Most memory", bytes(task.peak_memory_bytes)]);
  if (task.restarts) pairs.push(["Begun anew by its cluster", integer(task.restarts)]);
  if (task.run_id) pairs.push(["MLflow run", h("span", { class: "mono" }, task.run_id)]);
  for (const [name, value] of Object.entries(task.labels)) pairs.push([name, inLine(value)]);
  for (const [name, value] of Object.entries(task.metrics)) pairs.push([name, inLine(value)]);
  return pairs;
}

/** @param {any} task */
function elementsOf(task) {
  const rows = task.elements.map((/** @type {any} */ one) =>
    h("tr", null, h("th", { scope: "row" }, String(one.index)), h("td", null, stateBadge(one.state)), h("td", { class: "num" }, one.exit_code ?? ""), h("td", null, why(one))),
  );
  const heads = ["Element", "State", "Exit code", "Why"].map((title) => h("th", { scope: "col", class: title === "Exit code" ? "num" : null }, title));
  return [h("div", { class: "table-wrap framed", tabindex: 0, role: "region", "aria-label": "Elements" }, h("table", { class: "table" }, h("thead", null, h("tr", null, ...heads)), h("tbody", null, ...rows)))];
}

/** @param {AbortSignal} signal */
async function look(signal) {
  const task = await get(path, { signal });
  show(task);
  const isRead = await log.read(task, signal);
  const version = `${task.attempt} ${task.finished}`;
  if (task.finished && filesOf !== version) {
    const found = await get(`${path}/files`, { signal });
    if (found.complete) filesOf = version;
    files.update(found.files);
    fill(panels.files, files.element);
    return !(found.complete && isRead);
  }
  return !(task.finished && isRead);
}

/** @param {unknown} error */
function failed(error) {
  if (shown && !(error instanceof ApiError && error.status === 404)) return;
  looking.stop();
  byId("whole").hidden = true;
  byId("problem").hidden = false;
  fill(byId("problem"), errorState(error, () => location.reload(), h("a", { class: "button", href: "/console/tasks" }, "To the tasks")));
}

let looking = poll(look, { everyMs: EVERY_MS, onError: failed });

function lookAgain() {
  looking.stop();
  looking = poll(look, { everyMs: EVERY_MS, onError: failed });
}

log.onChoice(lookAgain);
caller()
  .then((who) => {
    mayChange = may(who, "submit");
    if (shown) show(shown);
  })
  .catch(() => {});

/** @param {"DELETE" | "POST"} method @param {string} where @param {string} done */
async function change(method, where, done) {
  await attempt(() => send(method, where), done, "info");
  lookAgain();
}

byId("cancel").addEventListener("click", async () => {
  const text = "Its cluster is told to stop it. What it has written so far is brought here; what it has in memory is lost.";
  if (await ask({ title: "Cancel this task?", text, confirm: "Cancel the task", danger: true })) await change("DELETE", path, "The task is being cancelled");
});

byId("retry").addEventListener("click", async () => {
  const text = "It is handed to its cluster again with the same program, config and inputs, as its next attempt. Log and files of this attempt stay.";
  if (await ask({ title: "Begin this task anew?", text, confirm: "Begin anew" })) await change("POST", `${path}/retry`, "The task begins anew");
});
