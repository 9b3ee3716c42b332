// @ts-check
/** Jobs, newest first, as they come and go; those that failed for good can be run again. */

import { get } from "../api.js";
import { emptyState, progress, stateBadge } from "../blocks.js";
import { byId, h, setText } from "../dom.js";
import { ago, dateTime, duration, plural } from "../format.js";
import { table } from "../table.js";
import { offer } from "../shared/filters.js";
import { paged } from "../shared/paged.js";
import { secondsBetween } from "../shared/times.js";
import { canReplay, replay, replayAllDead } from "./replay.js";

/** @type {Set<string>} */
const picked = new Set();

const shownAs = table(
  [
    { title: "Job", isHead: true, cell: nameCell },
    { title: "State", cell: (job) => stateBadge(job.state) },
    { title: "Progress", cell: progressCell },
    { title: "Asked for", cell: (job) => h("span", { title: dateTime(job.created) }, ago(job.created)) },
    { title: "Took", isNumber: true, cell: (job) => duration(secondsBetween(job.started, job.finished)) },
  ],
  {
    key: (job) => job.id,
    caption: "Jobs, newest first",
    empty: () => (list.isFiltered() ? emptyState("No job is like that", "Choose other filters, or clear them.") : emptyState("There are no jobs yet", "Trainings, and predictions with “Prefer: respond-async”, appear here.")),
    version: (job) => JSON.stringify([job, ago(job.created), Math.round(secondsBetween(job.started, job.finished) ?? 0)]),
  },
);
const list = paged({ name: "jobs", one: "job", table: shownAs, onFilter: unselect, onShow: offerReplay });

/** @param {any} job */
function nameCell(job) {
  const title = job.model ? `${job.kind} · ${job.model}` : job.kind;
  const name = h("span", { class: "cell-title" }, h("a", { class: "cell-link", href: `/console/jobs/${job.id}` }, title), h("span", { class: "mono" }, job.id));
  return h("div", { class: "picked" }, canReplay(job) && pickBox(job), name);
}

/** @param {any} job */
function pickBox(job) {
  const box = h("input", { type: "checkbox", checked: picked.has(job.id), "aria-label": `Select job ${job.id}` });
  box.addEventListener("change", () => {
    if (box.checked) picked.add(job.id);
    else picked.delete(job.id);
    showPicked();
  });
  return h("label", { class: "check" }, box);
}

/** @param {any} job */
function progressCell(job) {
  if (["failed", "dead"].includes(job.state)) return h("span", { class: "clip muted", title: job.error ?? "" }, job.error ?? "");
  if (job.state === "queued") return h("span", { class: "muted" }, "waits");
  // Of one that came to its end the last message is of no use any more.
  if (job.finished) return h("span", { class: "muted" }, job.kind === "training" ? (job.message ?? "") : "");
  return progress(job.progress, `Progress of job ${job.id}`);
}

/** Nobody is asked whether to run again what is not there. @param {{state: string}[]} jobs */
function offerReplay(jobs) {
  byId("replay-all").hidden = !jobs.some((job) => job.state === "dead");
}

function showPicked() {
  byId("selection").hidden = !picked.size;
  setText(byId("selected"), `${plural(picked.size, "job")} selected`);
}

function unselect() {
  picked.clear();
  for (const box of byId("jobs").querySelectorAll("input:checked")) /** @type {HTMLInputElement} */ (box).checked = false;
  showPicked();
}

byId("unselect").addEventListener("click", unselect);
byId("replay").addEventListener("click", async () => {
  if (await replay([...picked])) unselect();
  list.now();
});
byId("replay-all").addEventListener("click", async () => {
  await replayAllDead();
  list.now();
});

get("/models")
  .then((models) => offer("model", models.map((/** @type {any} */ one) => one.name)))
  .catch(() => {});
