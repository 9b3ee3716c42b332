// @ts-check
/** What a run would take by its executors, as pictures, as a table and in words. A part of `what-if.js`. */

/** @typedef {{scale_out: number, median_s: number, low90_s: number, high90_s: number, probability: number | null, executor_minutes: number}} Point */
/** @typedef {{answer: any, body: any, price: number | null}} Asked `price` of an executor-hour */

/** What is wide is scrolled, and does not widen the page. */
export const RULES = `
.scaleout.stack, .scaleout .stack { grid-template-columns: minmax(0, 1fr); }
.scaleout .stats { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.scaleout .stat { padding: var(--space-2) var(--space-3); }
@media (width >= 90rem) { .scaleout .stats { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
.scaleout .keep { white-space: nowrap; }
.scaleout .is-chosen { color: var(--accent); }
`;

/**
 * Empty until its first `update`; pictures are drawn once they are seen.
 * @param {any} kit
 * @returns {{element: HTMLElement, update: (asked: Asked) => void}}
 */
export function curveView(kit) {
  const { h, fill, icon, setText } = kit.dom;
  kit.styles(RULES);
  /** @type {Asked} */
  let now = { answer: { curve: [], recorded: [] }, body: {}, price: null };
  const told = h("div", { class: "stats" });
  const why = h("p", { class: "muted" });
  const curve = figure(kit, "Run time", "chart", "Run time by number of executors: median, 90% interval, recorded runs and target", (colors) => curveOption(now, colors, kit), () => `run-time-${now.body.algorithm}.png`);
  const pale = h("p", { class: "hint" });
  const cost = figure(kit, "Cost", "chart short", "Cost by number of executors", (colors) => costOption(now, colors, kit), () => `cost-${now.body.algorithm}.png`);
  let isPriced = false;
  let rows = table(kit, () => now, isPriced);
  const sheet = h("div", null, rows.element);
  const csv = h("button", { type: "button", class: "button small", onclick: () => kit.download(`what-if-${now.body.algorithm}.csv`, kit.csvOf(sheetOf(now))) }, icon("download"), "CSV");
  const drawn = h("div", { class: "stack" }, curve.element, h("div", { class: "stack tight" }, cost.element, pale), h("section", { class: "stack tight" }, h("div", { class: "row spread" }, h("h3", { class: "sheet-title" }, "By executors"), csv), sheet));
  return {
    element: h("div", { class: "stack scaleout" }, told, why, drawn),
    update(asked) {
      now = asked;
      fill(told, ...statsOf(now, kit));
      setText(why, reasonOf(now.answer, kit));
      drawn.hidden = !now.answer.curve.length;
      cost.setTitle(now.price === null ? "Cost, in executor-minutes" : "Cost");
      setText(pale, now.body.target_s ? `Pale bars are in time with a chance of less than ${chance(now.body.confidence ?? 0.9, kit)}.` : "");
      curve.redraw();
      cost.redraw();
      if (isPriced !== (now.price !== null)) {
        isPriced = !isPriced;
        rows = table(kit, () => now, isPriced);
        fill(sheet, rows.element);
      }
      rows.update(now.answer.curve);
    },
  };
}

/** The point that is recommended. @param {any} answer @returns {Point | undefined} */
export function chosenOf(answer) {
  return answer.curve.find((/** @type {Point} */ point) => point.scale_out === answer.recommendation.scale_out);
}

/** @param {number} minutes of executors @param {number | null} price of an hour @returns {number} in the unit that is shown */
export function costOf(minutes, price) {
  return price === null ? minutes : (minutes / 60) * price;
}

/** @param {Asked} now @param {any} kit */
function statsOf({ answer, body, price }, kit) {
  const { h } = kit.dom;
  const { duration, number } = kit.format;
  const stat = (/** @type {string} */ label, /** @type {string} */ value, /** @type {string} */ note) =>
    h("div", { class: "stat" }, h("span", { class: "stat-label" }, label), h("span", { class: "stat-value" }, value), h("span", { class: "stat-note" }, note));
  const point = chosenOf(answer);
  const { scale_out: executors, probability } = answer.recommendation;
  const target = body.target_s ? `within ${duration(body.target_s)}` : "no target given";
  return [
    stat("Executors to take", String(executors), `of ${body.min_scale_out ?? 1} to ${body.max_scale_out ?? 16}`),
    stat("Run time", point ? duration(point.median_s) : kit.format.NONE, point ? `${duration(point.low90_s)} to ${duration(point.high90_s)} in 90%` : "nothing is known"),
    stat("Chance", chance(probability, kit), target),
    stat("Executor-minutes", number(point?.executor_minutes, 3), price === null || !point ? "at the median" : `costs ${number(costOf(point.executor_minutes, price), 3)} at the median`),
  ];
}

/** Rounded down: 89.6% is not yet 90%. @param {number | null} probability @param {any} kit */
export function chance(probability, kit) {
  return probability === null || probability === undefined ? kit.format.NONE : `${Math.floor(100 * probability + 1e-9)}%`;
}

/** @param {any} answer @param {any} kit */
function reasonOf({ recommendation, model, runs, error }, kit) {
  const off = error === null || error === undefined ? "" : `, ${kit.format.percent(error)} off on average at runs that it had not seen`;
  const from = runs ? ` Answered by the model ${model}, which knows ${kit.format.plural(runs, "run")}${off}.` : "";
  const why = recommendation.why || "nothing was said why";
  return `${why[0].toUpperCase()}${why.slice(1)}.${from}`;
}

/**
 * A picture with its heading, and a button to keep it.
 * @param {any} kit @param {string} title @param {string} kind its classes @param {string} label
 * @param {(colors: any) => any} describe @param {() => string} filename
 */
export function figure(kit, title, kind, label, describe, filename) {
  const { h, icon } = kit.dom;
  const place = h("div", { class: kind });
  const heading = h("h3", { class: "sheet-title" }, title);
  /** @type {any} */
  let drawn = null;
  kit
    .chart(place, describe, { label })
    .then((/** @type {any} */ chart) => (drawn = chart))
    .catch((/** @type {unknown} */ error) => kit.dom.fill(place, kit.blocks.errorState(error)));
  const png = h("button", { type: "button", class: "button small", onclick: () => drawn?.savePng(filename()) }, icon("download"), "PNG");
  return {
    element: h("section", { class: "stack tight" }, h("div", { class: "row spread" }, heading, png), place),
    place,
    redraw: () => drawn?.update(),
    setTitle: (/** @type {string} */ text) => kit.dom.setText(heading, text),
  };
}

/** @param {Asked} now @param {any} colors @param {any} kit */
function curveOption({ answer, body }, colors, kit) {
  const { duration } = kit.format;
  /** @type {Point[]} */
  const points = answer.curve;
  const chosen = chosenOf(answer);
  const told = (/** @type {Point} */ one) => `${kit.format.plural(one.scale_out, "executor")}\n${duration(one.median_s)}, 90%: ${duration(one.low90_s)} to ${duration(one.high90_s)}`;
  const longest = Math.max(body.target_s ?? 0, ...points.map((one) => one.high90_s), ...(answer.recorded ?? []).map((/** @type {any} */ one) => one.runtime_s));
  const band = (/** @type {any} */ params, /** @type {any} */ at) => {
    if (params.dataIndex !== 0) return null;
    const line = (/** @type {"low90_s" | "high90_s"} */ end) => points.map((one) => at.coord([one.scale_out, one[end]]));
    return { type: "polygon", shape: { points: [...line("high90_s"), ...line("low90_s").reverse()] }, style: { fill: colors.accentSoft } };
  };
  const target = body.target_s && {
    silent: true, symbol: "none", data: [{ yAxis: body.target_s }], lineStyle: { color: colors.bad, type: "dashed", width: 1.5 },
    label: { formatter: `target ${duration(body.target_s)}`, position: "insideEndTop", color: colors.bad },
  };
  return {
    legend: { top: 0, left: 0, data: ["Median", "90% interval", "Recorded runs"] },
    grid: { left: 8, right: 24, top: 36, bottom: 24, containLabel: true },
    tooltip: { trigger: "item" },
    xAxis: { type: "value", name: "executors", nameLocation: "middle", nameGap: 26, minInterval: 1, ...edges(points), splitLine: { show: false } },
    yAxis: { type: "value", min: 0, interval: stepOf(longest), axisLabel: { formatter: (/** @type {number} */ value) => duration(value) } },
    series: [
      { type: "custom", name: "90% interval", silent: true, data: points.map((one) => [one.scale_out, one.low90_s, one.high90_s]), encode: { x: 0, y: [1, 2] }, renderItem: band, itemStyle: { color: colors.accentSoft }, z: 1 },
      { type: "line", name: "Median", data: points.map((one) => [one.scale_out, one.median_s]), symbolSize: 6, itemStyle: { color: colors.series[0] }, markLine: target || undefined, tooltip: { formatter: (/** @type {any} */ at) => told(points[at.dataIndex]) }, z: 3 },
      { type: "scatter", name: "Recorded runs", data: (answer.recorded ?? []).map((/** @type {any} */ one) => [one.scale_out, one.runtime_s, one.execution_id]), symbolSize: 7, itemStyle: { color: colors.series[1], opacity: 0.75 }, tooltip: { formatter: (/** @type {any} */ at) => `${at.value[2]}\n${at.value[0]} executors, ${duration(at.value[1])}` }, z: 2 },
      { type: "scatter", name: "Recommended", data: chosen ? [[chosen.scale_out, chosen.median_s]] : [], symbol: "diamond", symbolSize: 18, itemStyle: { color: colors.series[0], borderColor: colors.text, borderWidth: 1.5 }, tooltip: { formatter: () => (chosen ? told(chosen) : "") }, z: 5 },
    ],
  };
}

/**
 * Between the marks of an axis of seconds, so that they are whole minutes or hours where they are long. Pure.
 * @param {number} longest @param {number} [marks] at most
 */
export function stepOf(longest, marks = 6) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];
  return steps.find((step) => longest / step <= marks) ?? 86_400 * Math.ceil(longest / 86_400 / marks);
}

/** Half an executor more at each end, so that no point lies on an axis. @param {Point[]} points */
function edges(points) {
  if (!points.length) return {};
  return { min: points[0].scale_out - 0.5, max: points[points.length - 1].scale_out + 0.5, axisLabel: { formatter: (/** @type {number} */ value) => (Number.isInteger(value) ? String(value) : "") } };
}

/** @param {Asked} now @param {any} colors @param {any} kit */
function costOption({ answer, body, price }, colors, kit) {
  const isEnough = (/** @type {Point} */ one) => one.probability === null || one.probability >= (body.confidence ?? 0.9);
  const bar = (/** @type {Point} */ one) => ({
    value: costOf(one.executor_minutes, price),
    itemStyle: { color: one.scale_out === answer.recommendation.scale_out ? colors.series[0] : colors.series[5], opacity: isEnough(one) ? 1 : 0.35 },
  });
  const told = (/** @type {Point} */ one) => `${kit.format.plural(one.scale_out, "executor")}\n${kit.format.number(one.executor_minutes, 3)} executor-minutes${price === null ? "" : `, ${kit.format.number(costOf(one.executor_minutes, price), 3)}`}${one.probability === null ? "" : `\nin time: ${chance(one.probability, kit)}`}`;
  return {
    grid: { left: 8, right: 24, top: 12, bottom: 24, containLabel: true },
    tooltip: { formatter: (/** @type {any} */ at) => told(answer.curve[at.dataIndex]) },
    xAxis: { type: "category", name: "executors", nameLocation: "middle", nameGap: 26, data: answer.curve.map((/** @type {Point} */ one) => String(one.scale_out)), axisLabel: { hideOverlap: true } },
    yAxis: { type: "value", min: 0, axisLabel: { hideOverlap: true } },
    series: [{ type: "bar", data: answer.curve.map(bar), barMaxWidth: 28 }],
  };
}

/** @param {any} kit @param {() => Asked} now @param {boolean} isPriced */
function table(kit, now, isPriced) {
  const { duration, number } = kit.format;
  const isChosen = (/** @type {Point} */ one) => one.scale_out === now().answer.recommendation?.scale_out;
  return kit.table(
    [
      { title: "Executors", isHead: true, cell: (/** @type {Point} */ one) => (isChosen(one) ? kit.dom.h("span", { class: "keep", title: "Recommended" }, `${one.scale_out} `, kit.dom.h("span", { class: "is-chosen", "aria-hidden": "true" }, "◆"), kit.dom.h("span", { class: "sr-only" }, "recommended")) : String(one.scale_out)) },
      { title: "Median", isNumber: true, cell: (/** @type {Point} */ one) => duration(one.median_s) },
      { title: "90% interval", isNumber: true, cell: (/** @type {Point} */ one) => `${duration(one.low90_s)} to ${duration(one.high90_s)}` },
      { title: "In time", isNumber: true, hint: "Chance of meeting the target", cell: (/** @type {Point} */ one) => chance(one.probability, kit) },
      { title: "Executor-min", isNumber: true, hint: "At the median", cell: (/** @type {Point} */ one) => number(one.executor_minutes, 3) },
      isPriced && { title: "Price", isNumber: true, hint: "With the price of an executor-hour that is given", cell: (/** @type {Point} */ one) => number(costOf(one.executor_minutes, now().price), 3) },
    ].filter(Boolean),
    { key: (/** @type {Point} */ one) => String(one.scale_out), caption: "Run times by number of executors", empty: () => kit.blocks.emptyState("No model can answer"), version: (/** @type {Point} */ one) => JSON.stringify([one, isChosen(one), now().price]) },
  );
}

/** All figures of the curve, as a file has them. @param {Asked} now */
export function sheetOf({ answer, price }) {
  const columns = ["scale_out", "median_s", "low80_s", "high80_s", "low90_s", "high90_s", "probability", "executor_minutes"];
  const rows = answer.curve.map((/** @type {any} */ one) => [...columns.map((name) => one[name]), ...(price === null ? [] : [costOf(one.executor_minutes, price)])]);
  return { title: "", columns: price === null ? columns : [...columns, "price"], rows };
}
