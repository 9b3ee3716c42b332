// @ts-check
/** The trials of a training: history, parallel coordinates, what matters, and all of them in a table. */

import { get } from "../api.js";
import { emptyState, errorState, stateBadge } from "../blocks.js";
import { chart } from "../chart.js";
import { fill, h } from "../dom.js";
import { duration, NONE, number, percent } from "../format.js";
import { table } from "../table.js";
import { inLine } from "../shared/value.js";
import { bestSoFar, isMinimized, parameters, strengths } from "./search.js";

/** @typedef {import("./search.js").Trial & {started_at: string | null, ended_at: string | null}} Trial */

const FEW = 4;
/** @type {Record<string, import("../chart.js").Chart>} */
let charts = {};

/** @param {HTMLElement} place @param {any} job @param {AbortSignal} signal */
export async function showTrials(place, job, signal) {
  /** @type {Trial[]} */
  let trials;
  try {
    trials = await get(`/jobs/${encodeURIComponent(job.id)}/trials`, { signal });
  } catch (error) {
    if (signal.aborted) return;
    fill(place, errorState(error));
    return;
  }
  if (!trials.length) {
    fill(place, job.finished ? emptyState("This training searched nothing", "It has no trials.") : emptyState("No trials yet", "Each appears here when it begins."));
    return;
  }
  const down = isMinimized(trials, job.metrics.best) ?? true;
  const found = strengths(trials);
  let parts = /** @type {HTMLElement | null} */ (place.querySelector(".trials"));
  if (!parts) {
    parts = h("div", { class: "trials panel" }, ...frame());
    fill(place, parts);
    charts = {};
  }
  await Promise.all([
    draw(parts, "history", history(trials, down), "The value of each trial, and the best so far"),
    draw(parts, "parallel", parallel(trials), "The parameters of each trial, and its value"),
    trials.length >= FEW ? draw(parts, "strength", bars(found), "How strongly the value goes with each parameter") : null,
  ]).catch((error) => parts?.querySelector(".charts")?.replaceChildren(errorState(error)));
  const told = found.map((one) => `${one.name} ${percent(one.strength, 0)}`).join(", ");
  const words = parts.querySelector(".strengths");
  if (words) words.textContent = trials.length >= FEW ? `Rank correlation of the value with each parameter by itself: ${told}.` : `Told from ${FEW} trials on.`;
  const rows = tableOf(parameters(trials));
  rows.update(trials);
  parts.querySelector(".all")?.replaceChildren(rows.element);
}

function frame() {
  const one = (/** @type {string} */ title, /** @type {string} */ name, /** @type {any} */ more = null) => h("section", { class: "panel" }, h("h3", null, title), h("div", { class: name === "strength" ? "chart short" : "chart", dataset: { chart: name } }), more);
  return [
    h("div", { class: "charts panel" }, one("History", "history"), one("Parallel coordinates", "parallel"), one("What matters", "strength", h("p", { class: "hint strengths" }))),
    h("h3", null, "All trials"),
    h("div", { class: "all framed" }),
  ];
}

/** @param {HTMLElement} parts @param {string} name @param {import("../chart.js").Describe} describe @param {string} label */
async function draw(parts, name, describe, label) {
  if (charts[name]) charts[name].update(describe);
  else charts[name] = await chart(/** @type {HTMLElement} */ (parts.querySelector(`[data-chart=${name}]`)), describe, { label });
}

/** @param {Trial[]} trials @param {boolean} down @returns {import("../chart.js").Describe} */
function history(trials, down) {
  const values = trials.filter((one) => one.value !== null).map((one) => [one.number, one.value]);
  return () => ({
    tooltip: { trigger: "axis" },
    legend: { top: 0, data: ["value", "best so far"] },
    grid: { left: 8, right: 16, top: 36, bottom: 8, containLabel: true },
    xAxis: { type: "value", minInterval: 1 },
    yAxis: { type: "value", scale: true },
    series: [
      { type: "scatter", name: "value", symbolSize: 7, data: values },
      { type: "line", name: "best so far", step: "end", showSymbol: false, data: bestSoFar(trials, down) },
    ],
  });
}

/** @param {Trial[]} trials @returns {import("../chart.js").Describe} */
function parallel(trials) {
  const names = parameters(trials);
  const done = trials.filter((one) => one.value !== null);
  const axes = [...names, "value"].map((name, dim) => {
    const given = done.map((one) => (name === "value" ? one.value : one.params[name]));
    if (given.every((one) => typeof one === "number")) return { dim, name, scale: true };
    return { dim, name, type: "category", data: [...new Set(given.map(inLine))] };
  });
  const lines = done.map((one) => [...names.map((name, at) => ("data" in axes[at] ? inLine(one.params[name]) : one.params[name])), one.value]);
  const values = done.map((one) => /** @type {number} */ (one.value));
  return (colors) => ({
    parallel: { left: 48, right: 64, top: 40, bottom: 24 },
    parallelAxis: axes,
    visualMap: { show: false, dimension: names.length, min: Math.min(...values), max: Math.max(...values), inRange: { color: [...colors.ramp].reverse() } },
    series: [{ type: "parallel", lineStyle: { width: 1.5, opacity: 0.7 }, data: lines }],
  });
}

/** @param {{name: string, strength: number}[]} found @returns {import("../chart.js").Describe} */
function bars(found) {
  const shown = [...found].reverse();
  return () => ({
    tooltip: { trigger: "axis" },
    xAxis: { type: "value", min: 0, max: 1 },
    yAxis: { type: "category", data: shown.map((one) => one.name) },
    series: [{ type: "bar", barMaxWidth: 24, data: shown.map((one) => Number(one.strength.toFixed(3))) }],
  });
}

/** @param {string[]} names */
function tableOf(names) {
  return table(
    [
      { title: "Trial", isHead: true, sortBy: (/** @type {Trial} */ one) => one.number, cell: (one) => String(one.number) },
      { title: "State", cell: (one) => stateBadge(one.state === "complete" ? "done" : one.state) },
      { title: "Value", isNumber: true, sortBy: (one) => one.value, cell: (one) => number(one.value, 6) },
      ...names.map((name) => ({ title: name, isNumber: true, sortBy: (/** @type {Trial} */ one) => one.params[name] ?? null, cell: (/** @type {Trial} */ one) => inLine(one.params[name]) })),
      { title: "Took", isNumber: true, cell: (one) => (one.started_at && one.ended_at ? duration((new Date(one.ended_at).getTime() - new Date(one.started_at).getTime()) / 1000) : NONE) },
    ],
    { key: (one) => String(one.number), caption: "Trials", empty: () => emptyState("No trials yet") },
  );
}
