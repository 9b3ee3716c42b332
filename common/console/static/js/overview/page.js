// @ts-check
/** The overview: models with their figures, jobs under way, clusters, and what needs attention. */

import { get, readable } from "../api.js";
import { emptyState, errorState, notice, pageLink, progress, stateBadge } from "../blocks.js";
import { byId, fill, h, setText } from "../dom.js";
import { ago, duration, integer, NONE, percent, plural, rate } from "../format.js";
import { parse, sum } from "../metrics.js";
import { poll } from "../poll.js";
import { sparkline } from "../sparkline.js";
import { table } from "../table.js";
import { figures, ownsRoute } from "./figures.js";
import { warnings } from "./warnings.js";

const EVERY_MS = 5000;
// Five minutes.
const LOOKS = 61;
// What changes seldom is asked for every so many rounds.
const SELDOM = 6;

/** @type {import("./figures.js").Look[]} */
const looks = [];
/** What was answered last; null where it could not be had. @type {Record<string, any>} */
const last = { models: [], versions: null, jobs: null, clusters: null, datasets: null };
let round = 0;

const models = table(
  [
    { title: "Model", isHead: true, sortBy: (row) => row.model.title, cell: (row) => h("span", { class: "cell-title" }, pageLink("/console/models", `/console/models/${row.model.name}`, row.model.title), h("span", { class: "mono" }, row.model.name)) },
    { title: "State", sortBy: (row) => row.model.state, cell: (row) => stateBadge(row.model.state) },
    { title: "Version", cell: (row) => row.version ?? h("span", { class: "muted", title: "It has no versions in the registry" }, NONE) },
    { title: "Requests/s", isNumber: true, sortBy: (row) => row.figures?.rate, cell: (row) => rate(row.figures?.rate) },
    { title: "Last minutes", cell: (row) => (row.figures ? sparkline(row.figures.rates, `Requests a second to ${row.model.title}, most ${rate(Math.max(0, ...row.figures.rates))}`) : NONE) },
    { title: "p50", isNumber: true, sortBy: (row) => row.figures?.p50, cell: (row) => duration(row.figures?.p50), hint: "Half of the answers took no longer" },
    { title: "p99", isNumber: true, sortBy: (row) => row.figures?.p99, cell: (row) => duration(row.figures?.p99), hint: "99 of 100 answers took no longer" },
    { title: "Errors", isNumber: true, sortBy: (row) => row.figures?.errors, cell: (row) => integer(row.figures?.errors), hint: "Answers with status 500 and above" },
    { title: "Cache hits", isNumber: true, sortBy: (row) => row.figures?.hits, cell: (row) => percent(row.figures?.hits), hint: "Share of the items that came from the cache, since the start" },
  ],
  {
    key: (row) => row.model.name,
    caption: "Models and their figures",
    empty: () => emptyState("No models are served here", "Add a package to models/, or name those to serve in SERVICE_MODEL."),
  },
);

const jobs = table(
  [
    { title: "Job", isHead: true, cell: (job) => h("span", { class: "cell-title" }, pageLink("/console/jobs", `/console/jobs/${job.id}`, `${job.kind} · ${job.model}`), h("span", { class: "mono" }, job.id)) },
    { title: "State", cell: (job) => stateBadge(job.state) },
    { title: "Progress", cell: (job) => (job.state === "queued" ? h("span", { class: "muted" }, "waits") : progress(job.progress, `Progress of job ${job.id}`)) },
    { title: "Asked for", isNumber: true, cell: (job) => ago(job.created) },
  ],
  {
    key: (job) => job.id,
    caption: "Jobs under way",
    empty: () => emptyState("No jobs under way", "Trainings and queued predictions appear here while they wait and run."),
    version: (job) => JSON.stringify([job, ago(job.created)]),
  },
);

const clusters = table(
  [
    { title: "Cluster", isHead: true, cell: (one) => h("span", { class: "cell-title" }, h("span", null, one.title || one.name), (one.title || one.name) !== one.kind && h("span", null, one.kind)) },
    { title: "State", cell: (one) => stateBadge(one.state) },
    { title: "Running", isNumber: true, cell: (one) => integer(one.running) },
    { title: "Pending", isNumber: true, cell: (one) => integer(one.pending) },
    { title: "Load", isNumber: true, cell: (one) => percent(one.load, 0) },
  ],
  { key: (one) => one.name, caption: "Clusters", empty: () => emptyState("No clusters are configured", "Name the file that describes them in CLUSTERS_FILE.") },
);

/**
 * Ask for one part of the page. What fails is told in its place, and the rest goes on.
 * @param {string} name @param {string} path @param {AbortSignal} signal @param {(answer: any) => any} [pick]
 */
async function part(name, path, signal, pick = (answer) => answer) {
  try {
    last[name] = pick(await get(path, { signal }));
    return null;
  } catch (error) {
    if (signal.aborted) throw error;
    last[name] = null;
    return error;
  }
}

/** @param {AbortSignal} signal */
async function look(signal) {
  const seldom = round % SELDOM === 0;
  const wanted = [
    lookAtMetrics(signal),
    get("/models", { signal }).then((found) => (last.models = found)),
    part("jobs", "/jobs?state=running&state=queued&state=retrying&state=cancelling&limit=8", signal, (page) => page.jobs),
    part("clusters", "/clusters", signal, (page) => page.clusters),
    seldom ? part("versions", "/registry", signal) : null,
    seldom ? part("datasets", "/datasets", signal) : null,
  ];
  const [, , jobsError, clustersError] = await Promise.all(wanted);
  round += 1;
  show(jobsError, clustersError);
}

/** @param {AbortSignal} signal */
async function lookAtMetrics(signal) {
  const samples = parse(await get("/metrics", { as: "text", signal }));
  looks.push({ atMs: performance.now(), samples });
  if (looks.length > LOOKS) looks.shift();
}

/** @param {unknown} jobsError @param {unknown} clustersError */
function show(jobsError, clustersError) {
  const samples = looks.at(-1)?.samples ?? null;
  const all = last.models.map(ownsRoute);
  const isModels = (/** @type {any} */ labels) => all.some((/** @type {any} */ owns) => owns(labels));
  const whole = figures(looks, isModels);
  stats(whole, samples);
  models.update(
    last.models.map((/** @type {any} */ model, /** @type {number} */ index) => ({
      model,
      version: versionOf(model.name),
      figures: figures(looks, all[index], model.name),
    })),
  );
  mount("models", models.element);
  setText(byId("window"), whole.isRecent ? `Figures of the last ${duration(sinceS())}` : "Figures since the start");
  showPart("jobs", jobs, last.jobs, jobsError);
  showPart("clusters", clusters, last.clusters, clustersError);
  const told = warnings({ models: last.models, samples, clusters: last.clusters, datasets: last.datasets });
  const shown = JSON.stringify(told);
  const place = byId("warnings");
  if (place.dataset.shown !== shown) {
    place.dataset.shown = shown;
    fill(place, ...told.map(({ tone, title, text }) => notice(tone, title, text)));
  }
  live("Live", true);
}

/** @param {import("./figures.js").Figures} whole @param {import("../metrics.js").Samples | null} samples */
function stats(whole, samples) {
  const ready = last.models.filter((/** @type {any} */ model) => model.state === "ready").length;
  const running = samples ? sum(samples, "atoll_jobs", (labels) => labels.state === "running") : null;
  const waiting = samples ? sum(samples, "atoll_queue_waiting") : null;
  const tiles = [
    ["Models ready", `${ready} of ${last.models.length}`, ""],
    ["Requests/s", rate(whole.rate), `${plural(whole.requests, "request")} ${whole.isRecent ? "lately" : "since the start"}`],
    ["p99", duration(whole.p99), `p50 ${duration(whole.p50)}`],
    ["Errors", integer(whole.errors), whole.requests ? `${percent(whole.errors / whole.requests)} of requests` : ""],
    ["Cache hits", percent(whole.hits), "since the start"],
    ["Jobs running", integer(running), waiting ? `${integer(waiting)} waiting` : "none waiting"],
  ];
  const place = byId("stats");
  if (place.querySelectorAll(".stat").length !== tiles.length) {
    fill(place, ...tiles.map(() => h("div", { class: "stat" }, h("span", { class: "stat-label" }), h("span", { class: "stat-value" }), h("span", { class: "stat-note" }))));
  }
  tiles.forEach((texts, index) => texts.forEach((text, at) => setText(place.children[index].children[at], text)));
}

/** @param {string} id @param {{element: HTMLElement, update: (rows: any[]) => void}} shown @param {any[] | null} rows @param {unknown} error */
function showPart(id, shown, rows, error) {
  if (rows === null) {
    fill(byId(id), errorState(error));
    return;
  }
  shown.update(rows);
  mount(id, shown.element);
}

/** @param {string} id @param {HTMLElement} element */
function mount(id, element) {
  if (element.parentElement !== byId(id)) fill(byId(id), element);
}

/** @param {string} model */
function versionOf(model) {
  const entry = last.versions?.find((/** @type {any} */ one) => one.model === model);
  const number = entry?.aliases?.default ?? null;
  return number === null ? null : `v${number}`;
}

function sinceS() {
  return looks.length > 1 ? (looks[looks.length - 1].atMs - looks[0].atMs) / 1000 : 0;
}

/** @param {string} text @param {boolean} isOn */
function live(text, isOn) {
  const place = byId("live");
  setText(place, text);
  place.classList.toggle("is-off", !isOn);
}

poll(look, {
  everyMs: EVERY_MS,
  onError(error) {
    live(readable(error).title, false);
    if (!looks.length || !last.models.length) {
      fill(byId("models"), errorState(error));
      for (const id of ["stats", "jobs", "clusters"]) fill(byId(id));
    }
  },
});
