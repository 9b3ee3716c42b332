// @ts-check
/** What needs somebody's attention, and what to do about it. Pure. */

import { duration, plural } from "../format.js";
import { sum } from "../metrics.js";

/** @typedef {{tone: "warn" | "bad" | "info", title: string, text: string}} Warning */
/** @typedef {import("./figures.js").Model} Model */
/** @typedef {{name: string, state: string, detail: string}} Cluster */

// Longer than a worker needs to see a job.
const WAITS_S = 60;

/**
 * @param {{models: Model[], samples: import("../metrics.js").Samples | null, clusters: Cluster[] | null,
 *   datasets: {name: string, origin: string, used_by: string[]}[] | null}} known what could be had; null otherwise
 * @returns {Warning[]} the worst first
 */
export function warnings({ models, samples, clusters, datasets }) {
  /** @type {Warning[]} */
  const found = [];
  for (const model of models) {
    if (model.state === "unavailable") {
      found.push({ tone: "bad", title: `${model.title} is unavailable`, text: model.reason ?? "The log of the server says why." });
    }
    for (const [version, reason] of Object.entries(model.failed_versions)) {
      found.push({ tone: "warn", title: `Version ${version} of ${model.title} cannot be opened`, text: `${reason}. The version before it goes on answering: roll the alias back, or publish a version that opens.` });
    }
  }
  for (const cluster of clusters ?? []) {
    if (cluster.state === "down") {
      found.push({ tone: "bad", title: `The cluster ${cluster.name} is down`, text: `${cluster.detail || "It does not answer."} Tasks for it wait, and go on when it is back.` });
    }
  }
  if (samples) found.push(...ofMetrics(samples));
  for (const set of datasets ?? []) {
    if (set.origin === "generated" && set.used_by.length) {
      found.push({ tone: "info", title: "Answers come from a generated sample", text: `${listed(set.used_by)} ${set.used_by.length === 1 ? "has" : "have"} no real data yet. Put data sets on the share, or name their folder in DATASET_PATH.` });
    }
  }
  const order = { bad: 0, warn: 1, info: 2 };
  return found.sort((a, b) => order[a.tone] - order[b.tone]);
}

/** @param {import("../metrics.js").Samples} samples @returns {Warning[]} */
function ofMetrics(samples) {
  /** @type {Warning[]} */
  const found = [];
  const dead = sum(samples, "atoll_jobs", (labels) => labels.state === "dead");
  if (dead) {
    found.push({ tone: "warn", title: `${plural(dead, "job")} used up all attempts`, text: "Look at the error of each (GET /jobs?state=dead), mend its cause, and run it again." });
  }
  for (const { labels, value } of samples.get("atoll_queue_oldest_seconds") ?? []) {
    if (value > WAITS_S) {
      found.push({ tone: "warn", title: `Jobs of the queue ${labels.queue} wait`, text: `The oldest one for ${duration(value)}. Start more workers: atoll worker.` });
    }
  }
  const unwritten = sum(samples, "atoll_audit_unwritten_total");
  if (unwritten) {
    found.push({ tone: "warn", title: `${plural(unwritten, "audit record")} could not be written`, text: "They stand in the log only. Look at the database." });
  }
  const refused = sum(samples, "atoll_model_pool_refused_total");
  if (refused) {
    found.push({ tone: "warn", title: `${plural(refused, "load")} of models refused for want of memory`, text: "Give the model pool more memory, or serve fewer models from this process." });
  }
  return found;
}

/** @param {string[]} names */
function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
