// @ts-check
/** A job: how far it is, its attempts, its log, what it answered, and the trials of a training. */

import { ApiError, get, send } from "../api.js";
import { emptyState, errorState, facts, pageLink, progress, stateBadge } from "../blocks.js";
import { ask } from "../dialog.js";
import { byId, fill, h, setText } from "../dom.js";
import { dateTime, duration, NONE, percent } from "../format.js";
import { poll } from "../poll.js";
import { table } from "../table.js";
import { tabs } from "../tabs.js";
import { attempt } from "../toast.js";
import { logView } from "../shared/log.js";
import { secondsBetween } from "../shared/times.js";
import { inLine } from "../shared/value.js";
import { replay } from "./replay.js";
import { showResult } from "./result.js";
import { showTrials } from "./trials.js";

const EVERY_MS = 1500;
const LINES = 1000;
const TRIALS_EVERY = 3;
/** The API names what happened; here stands how the attempt ended. @type {Record<string, [string, string?]>} */
const ENDED = {
  succeed: ["succeeded"], refuse: ["failed"], retry: ["failed", "failed, tried again"], exhaust: ["dead", "failed, the last one"],
  interrupt: ["retrying", "interrupted"], expire: ["expired"], stop: ["cancelled"], cancel: ["cancelled"],
};
const id = decodeURIComponent(location.pathname.split("/").at(-1) ?? "");

/** @type {any} */
let shown = null;
let lastLine = 0;
let resultOf = "";
let trialsOf = "";
let round = 0;

const panels = { result: h("div", { class: "panel" }), log: h("div", { class: "panel" }), attempts: h("div", { class: "panel" }), trials: h("div", { class: "panel" }) };
const log = logView(panels.log, { label: "Log of the job", empty: "What the job logs and prints appears here." });
const attempts = table(
  [
    { title: "Attempt", isHead: true, cell: (one) => String(one.epoch) },
    { title: "Ended as", cell: (one) => endBadge(one.outcome) },
    { title: "Began", cell: (one) => dateTime(one.started) },
    { title: "Took", isNumber: true, cell: (one) => duration(secondsBetween(one.started, one.ended)) },
    { title: "Error", cell: (one) => (one.error ? h("span", { class: "mono" }, one.error) : NONE) },
    { title: "Worker", cell: (one) => h("span", { class: "mono" }, one.worker) },
  ],
  { key: (one) => String(one.epoch), caption: "Attempts", empty: () => emptyState("It was not begun yet") },
);

/** @param {string | null} outcome what happened to the job then */
function endBadge(outcome) {
  const [state, label] = ENDED[outcome ?? ""] ?? [outcome ?? "running"];
  return stateBadge(state, label);
}

/** @param {any} job */
function show(job) {
  if (!shown) {
    /** @type {Parameters<typeof tabs>[0]} */
    const all = [
      { id: "result", title: "Result", panel: panels.result },
      { id: "log", title: "Log", panel: panels.log },
      { id: "attempts", title: "Attempts", panel: panels.attempts },
    ];
    if (job.kind === "training") all.push({ id: "trials", title: "Trials", panel: panels.trials, onShow: () => readTrials(new AbortController().signal) });
    fill(byId("tabs"), tabs(all, { label: "About this job" }));
    const title = job.model ? `${job.kind} · ${job.model}` : job.kind;
    setText(byId("title"), title);
    document.title = `${title} · Atoll`;
  }
  shown = job;
  fill(byId("badge"), stateBadge(job.state));
  byId("cancel").hidden = Boolean(job.finished) || job.state === "cancelling";
  byId("retry").hidden = !["failed", "dead"].includes(job.state);
  fill(byId("progress"), ...progressOf(job));
  const told = facts(factsOf(job));
  told.classList.add("is-wide");
  fill(byId("facts"), told);
  attempts.update(job.attempts);
  if (attempts.element.parentElement !== panels.attempts) fill(panels.attempts, attempts.element);
}

/** @param {any} job */
function progressOf(job) {
  if (job.state === "queued") return [h("p", { class: "muted" }, job.queue_position ? `${job.queue_position} before it in the queue` : "It is the next in its queue")];
  const told = [job.message, job.progress === null ? null : percent(job.progress, 0)].filter(Boolean).join(" · ");
  const text = told && h("p", { class: "muted", "aria-live": "polite" }, told);
  if (job.finished) return [job.error && h("p", { class: "field-error" }, job.error), job.state === "succeeded" && text];
  return [progress(job.progress, "Progress of the job"), text];
}

/** @param {any} job @returns {[string, any][]} */
function factsOf(job) {
  /** @type {[string, any][]} */
  const pairs = [
    ["Id", h("span", { class: "mono" }, job.id)],
    ...(job.model ? [/** @type {[string, any]} */ (["Model", pageLink("/console/models", `/console/models/${job.model}`, job.model)])] : []),
    ["Request", h("span", { class: "mono" }, `POST ${job.path}`)],
    ["Asked for", `${dateTime(job.created)}${job.owner ? ` by ${job.owner}` : ""}`],
    ["Began", dateTime(job.started)],
    [job.finished ? "Took" : "Runs for", duration(secondsBetween(job.started, job.finished))],
    ["Attempts", `${job.attempts.length} of at most ${job.max_attempts}`],
  ];
  if (job.expires) pairs.push(["Result kept until", dateTime(job.expires)]);
  if (job.deadline) pairs.push(["Of no use after", dateTime(job.deadline)]);
  if (job.callback) pairs.push(["Callback", `${job.callback.state}${job.callback.last_error ? `: ${job.callback.last_error}` : ""}`]);
  for (const [name, value] of Object.entries(job.metrics)) pairs.push([name, inLine(value)]);
  return pairs;
}

/** @param {AbortSignal} signal */
async function look(signal) {
  const job = await get(`/jobs/${encodeURIComponent(id)}`, { signal });
  if (job !== shown || !job.finished) show(job);
  // One that waits writes nothing; it may have run before.
  if (round === 0 || job.state !== "queued") await readLog(signal);
  const version = `${job.state} ${job.finished}`;
  if (resultOf !== version) {
    resultOf = version;
    await showResult(panels.result, job);
  }
  if (job.finished || round % TRIALS_EVERY === 0) await readTrials(signal);
  round += 1;
  return !job.finished;
}

/** While somebody looks at them: there may be hundreds. @param {AbortSignal} signal */
async function readTrials(signal) {
  if (shown === null || shown.kind !== "training" || panels.trials.hidden) return;
  const version = `${shown.state} ${shown.finished} ${shown.metrics.trials ?? ""}`;
  if (trialsOf === version) return;
  trialsOf = version;
  await showTrials(panels.trials, shown, signal);
}

/** @param {AbortSignal} signal */
async function readLog(signal) {
  for (;;) {
    const lines = await get(`/jobs/${encodeURIComponent(id)}/logs?after=${lastLine}&limit=${LINES}`, { signal });
    if (lines.length) lastLine = lines.at(-1).seq;
    log.append(lines.map((/** @type {any} */ line) => `${new Date(line.at).toLocaleTimeString("en-GB")}  ${line.level.toLowerCase().padEnd(7)}  ${line.text}\n`).join(""));
    if (lines.length < LINES) return;
  }
}

/** @param {unknown} error */
function failed(error) {
  if (shown && !(error instanceof ApiError && error.status === 404)) return;
  looking.stop();
  byId("whole").hidden = true;
  byId("problem").hidden = false;
  fill(byId("problem"), errorState(error, () => location.reload(), h("a", { class: "button", href: "/console/jobs" }, "To the jobs")));
}

let looking = poll(look, { everyMs: EVERY_MS, onError: failed });

byId("cancel").addEventListener("click", async () => {
  const text = "What runs is stopped within a second, and what it has done so far is lost. A cancelled job cannot be run again: ask anew.";
  if (!(await ask({ title: "Cancel this job?", text, confirm: "Cancel the job", danger: true }))) return;
  await attempt(() => send("DELETE", `/jobs/${encodeURIComponent(id)}`), "The job is being cancelled", "info");
  looking.now();
});

byId("retry").addEventListener("click", async () => {
  if (!(await replay([id]))) return;
  looking.stop();
  looking = poll(look, { everyMs: EVERY_MS, onError: failed });
});
