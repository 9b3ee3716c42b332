// @ts-check
/** Training a model: the form, the job, its trials as they end, and what came of it. */

import { ApiError, get, send } from "../api.js";
import { emptyState, facts, notice, stateBadge } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { NONE, number, plural } from "../format.js";
import { table } from "../table.js";
import { toastError } from "../toast.js";
import { follow, jobIdOf } from "./follow.js";
import { formOf } from "./form.js";

/**
 * @param {import("./spec.js").Route} route
 * @param {() => void} onPublished
 * @returns {HTMLElement}
 */
export function trainingView(route, onPublished) {
  const form = formOf(route.fields, { moreLabel: "Where it runs" });
  const start = h("button", { type: "submit", class: "button primary" }, icon("play"), "Train");
  const element = h("form", { class: "form", novalidate: true }, form.element, h("div", { class: "form-actions" }, start));
  const state = h("div");
  const outcome = h("div", { role: "status" });
  const trials = h("div");
  const place = h("div", { class: "stack" }, state, outcome, trials);
  fill(state, emptyState("No training under way", "It runs in the queue, and goes on when this page is closed."));
  /** @type {(() => void) | null} */
  let unfollow = null;

  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = form.values();
    if (!values) return;
    start.disabled = true;
    try {
      const query = new URLSearchParams(Object.entries(values.query).map(([name, value]) => [name, String(value)])).toString();
      const response = await send("POST", query ? `${route.path}?${query}` : route.path, values.body, { as: "response" });
      unfollow?.();
      fill(outcome);
      fill(trials);
      watch(jobIdOf(response));
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) form.showErrors(error);
      else toastError(error);
    } finally {
      start.disabled = false;
    }
  });

  /** @param {string} jobId */
  function watch(jobId) {
    const rows = trialsTable();
    unfollow = follow(state, jobId, {
      async onRound() {
        const found = await get(`/jobs/${jobId}/trials`);
        if (!found.length) return;
        rows.update(found);
        if (!trials.firstChild) fill(trials, h("section", { class: "stack tight" }, h("h3", { class: "sheet-title" }, "Trials"), rows.element));
      },
      async onEnd(job) {
        if (job.state !== "succeeded") return;
        const result = await get(`/jobs/${jobId}/result`);
        fill(outcome, resultView(result));
        onPublished();
      },
    });
  }

  const card = (/** @type {string} */ title, /** @type {HTMLElement} */ body) =>
    h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, title)), h("div", { class: "card-body" }, body));
  return h("div", { class: "ask" }, card("Training", element), card("Progress", place));
}

function trialsTable() {
  return table(
    [
      { title: "Trial", isHead: true, isNumber: true, sortBy: (trial) => trial.number, cell: (trial) => String(trial.number + 1) },
      { title: "State", sortBy: (trial) => trial.state, cell: (trial) => stateBadge(trial.state) },
      { title: "Value", isNumber: true, sortBy: (trial) => trial.value, cell: (trial) => number(trial.value, 5) },
      { title: "Parameters", cell: (trial) => paramsText(trial.params) },
    ],
    { key: (trial) => String(trial.number), caption: "Trials of the search", empty: () => emptyState("No trials yet"), sort: { column: 0, down: true } },
  );
}

/** @param {Record<string, any>} params */
function paramsText(params) {
  const told = Object.entries(params).map(([name, value]) => `${name} ${typeof value === "number" ? number(value) : value}`);
  return told.length ? told.join(", ") : NONE;
}

/** @param {any} result */
function resultView(result) {
  if (!result?.version) return notice("good", "The training has ended");
  const measured = Object.entries(result.metrics ?? {}).filter(([, value]) => typeof value === "number");
  return h(
    "div",
    { class: "stack tight" },
    notice("good", `Version ${result.version} is published`, result.trials ? `${plural(result.trials.complete ?? 0, "trial")} complete` : null),
    measured.length > 0 && facts(measured.map(([name, value]) => [name, number(value, 5)])),
    result.best_params && Object.keys(result.best_params).length > 0 && h("p", { class: "hint" }, `Best: ${paramsText(result.best_params)}`),
  );
}
