// @ts-check
/** One run: its jobs and stages over time, its executors with what was decided, as pictures and tables. A part of `applications.js`. */

const ROW_PX = 22;
const MOST_PX = 4000;
/** The same in both pictures, so that a moment stands at one place. */
const LEFT_PX = 60;
/** So many times as long as is expected may a run take before its pictures do without the time that it is now. */
const MOST_AHEAD = 3;
const UNDER_WAY = ["running", "waiting"];

const RULES = `
.decided .table-wrap { max-height: 22rem; overflow-y: auto; }
.why { display: grid; min-width: 9rem; }
.why > span { color: var(--text-faint); font-size: var(--text-xs); }
`;

/** @typedef {{job: number, start: number, end: number, isPredicted: boolean, told: any}} Bar seconds since the run began */

/**
 * Empty until its first `update`.
 * @param {any} kit @param {any} tools of `curve.js`
 */
export function timelineView(kit, { figure, stepOf }) {
  const { fill, h, icon, setText } = kit.dom;
  /** @type {any} */
  let run = null;
  const told = h("div", { class: "stats" });
  const bar = h("div");
  const heard = h("p", { class: "hint" });
  const name = (/** @type {string} */ what) => () => `${what}-${run.id}.png`;
  const gantt = figure(kit, "Jobs and stages", "chart", "Jobs and stages over time, with those that are predicted to come", (/** @type {any} */ colors) => ganttOption(run, colors, kit, timeAxis(run, kit, stepOf)), name("jobs"));
  const executors = figure(kit, "Executors", "chart short", "Executors over time, and what was decided", (/** @type {any} */ colors) => executorsOption(run, colors, kit, timeAxis(run, kit, stepOf)), name("executors"));
  const decisions = decisionsTable(kit);
  const jobs = jobsTable(kit);
  const csv = h("button", { type: "button", class: "button small", onclick: () => kit.download(`run-${run.id}.csv`, kit.csvOf(sheetOf(run))) }, icon("download"), "CSV");
  const table = h("details", { class: "more" }, h("summary", null, "Jobs as a table"), jobs.element);
  const pictures = h("div", { class: "stack" }, gantt.element, executors.element);
  kit.styles(RULES);
  const decided = h("section", { class: "stack tight decided" }, h("h3", { class: "sheet-title" }, "Decisions"), decisions.element);
  return {
    element: h("div", { class: "stack" }, told, bar, heard, pictures, decided, h("div", { class: "row spread" }, table, csv)),
    /** @param {any} detail of `GET /scaleout/applications/{id}` @param {number} nowS */
    update(detail, nowS) {
      run = runOf(detail, nowS);
      fill(told, ...statsOf(run, kit));
      fill(bar, progressOf(run, kit));
      setText(heard, run.isOpen && run.heardS !== null ? `Last word of it ${kit.format.ago(new Date(1000 * run.heardS))}.` : "");
      pictures.hidden = !run.bars.length;
      gantt.place.style.height = `${Math.min(MOST_PX, Math.max(1, run.bars.length) * ROW_PX + 104)}px`;
      gantt.redraw();
      executors.redraw();
      decisions.update(run.decisions);
      jobs.update(run.bars);
    },
  };
}

/**
 * What is shown of a run; times are seconds since it began. Pure.
 * @param {any} detail @param {number} nowS since 1970
 */
export function runOf({ application, decisions, plan, remaining, state }, nowS) {
  const isOpen = UNDER_WAY.includes(state);
  const told = (application.jobs ?? []).filter((/** @type {any} */ job) => isTime(job.end_s) || isTime(job.start_s));
  const began = application.start_s ?? Math.min(...told.map((/** @type {any} */ job) => job.start_s ?? job.end_s));
  const since = (/** @type {number} */ at) => at - began;
  /** @type {Bar[]} */
  const done = told.map((/** @type {any} */ job) => ({ job: job.job_id, start: since(job.start_s ?? job.end_s), end: since(job.end_s ?? Math.max(nowS, job.start_s)), isPredicted: false, told: job }));
  done.sort((a, b) => a.start - b.start || a.job - b.job);
  const last = Math.max(0, ...done.map((one) => one.end));
  let at = last;
  const known = new Set(done.map((one) => one.job));
  const coming = (isOpen ? plan?.runtimes_s ?? [] : [])
    .filter((/** @type {number[]} */ [job]) => !known.has(job))
    .map((/** @type {number[]} */ [job, seconds]) => ({ job, start: at, end: (at += seconds), isPredicted: true, told: {} }));
  const ended = isTime(application.end_s) ? since(application.end_s) : last;
  const elapsed = !Number.isFinite(began) ? null : isOpen ? Math.max(last, since(nowS)) : ended;
  const left = isOpen && remaining ? { end: last + remaining.median_s, low: last + remaining.low90_s, high: last + remaining.high90_s, model: remaining.model } : null;
  const expected = Math.max(last, at, left?.high ?? 0, application.target_s ?? 0);
  return {
    id: application.execution_id,
    application,
    state,
    isOpen,
    bars: [...done, ...coming],
    decisions: decisions.map((/** @type {any} */ one) => ({ ...one, at: done.find(({ job }) => job === one.after_job)?.end ?? 0 })),
    target: application.target_s ?? null,
    elapsed,
    left,
    heardS: Number.isFinite(began) ? began + last : null,
    /** Until when the pictures go: now is left out where it is far from all that is known of the run. */
    shown: elapsed === null || (isOpen && elapsed > MOST_AHEAD * expected) ? expected : Math.max(expected, elapsed),
    executors: executorsOf(application, done),
  };
}

/** [seconds, executors] as they were told. @param {any} application @param {Bar[]} done @returns {[number, number][]} */
function executorsOf(application, done) {
  /** @type {[number, number][]} */
  const seen = application.start_scale_out ? [[0, application.start_scale_out]] : [];
  for (const { start, end, told } of done) {
    if (told.start_scale_out) seen.push([start, told.start_scale_out]);
    if (told.end_scale_out && isTime(told.end_s)) seen.push([end, told.end_scale_out]);
  }
  return seen.sort(([a], [b]) => a - b);
}

/** @param {any} value */
function isTime(value) {
  return typeof value === "number";
}

/** @param {any} run @param {any} kit */
function statsOf(run, kit) {
  const { h } = kit.dom;
  const { duration, NONE } = kit.format;
  const stat = (/** @type {string} */ label, /** @type {string} */ value, /** @type {string} */ note) =>
    h("div", { class: "stat" }, h("span", { class: "stat-label" }, label), h("span", { class: "stat-value" }, value), h("span", { class: "stat-note" }, note));
  const { elapsed, isOpen, target, decisions } = run;
  const late = target !== null && elapsed !== null ? elapsed - target : null;
  const inTime = late === null ? "no target given" : late <= 0 ? `${duration(-late)} ${isOpen ? "left" : "to spare"}` : `over by ${duration(late)}`;
  const now = run.executors.at(-1)?.[1];
  const asked = decisions.at(-1)?.scale_out;
  return [
    stat(isOpen ? "Elapsed" : "Run time", elapsed === null ? NONE : duration(elapsed), kit.format.plural(run.bars.filter((/** @type {Bar} */ one) => !one.isPredicted).length, "job")),
    isOpen && stat("Still takes", ...stillOf(run, kit)),
    stat("Target", target === null ? NONE : duration(target), inTime),
    stat("Executors", now ? String(now) : NONE, isOpen && asked && asked !== now ? `${asked} asked for` : `of ${run.application.min_scale_out} to ${run.application.max_scale_out}`),
  ];
}

/** @param {any} run @param {any} kit @returns {[string, string]} */
function stillOf({ elapsed, left }, kit) {
  const { duration } = kit.format;
  if (!left) return [kit.format.NONE, "nothing can be said yet"];
  if (left.high < elapsed) return ["overdue", `was expected ${duration(elapsed - left.end)} ago, ${left.model}`];
  const ahead = (/** @type {number} */ end) => duration(Math.max(0, end - elapsed));
  return [ahead(left.end), `${ahead(left.low)} to ${ahead(left.high)} in 90%, ${left.model}`];
}

/** How much of the target is gone. @param {any} run @param {any} kit */
function progressOf({ elapsed, isOpen, target }, kit) {
  if (target === null || elapsed === null || !isOpen) return null;
  return kit.blocks.progress(elapsed / target, `Elapsed, of the target of ${kit.format.duration(target)}`);
}

/** Until when the pictures go. @param {any} run */
function horizonOf({ shown }) {
  return Math.max(shown, 0.1) * 1.02;
}

/** Lines at the target and at now. @param {any} run @param {any} colors @param {any} kit @param {boolean} hasLabels */
function linesOf({ elapsed, isOpen, shown, target }, colors, kit, hasLabels) {
  const line = (/** @type {number} */ xAxis, /** @type {string} */ text, /** @type {string} */ color) => ({ xAxis, lineStyle: { color, type: "dashed", width: 1.5 }, label: { show: hasLabels, formatter: text, color, position: "start", distance: 4 } });
  const data = [target !== null && line(target, `target`, colors.bad), isOpen && elapsed !== null && elapsed <= shown && line(elapsed, "now", colors.muted)].filter(Boolean);
  return { silent: true, symbol: "none", animation: false, data };
}

/** @param {any} run @param {any} kit @param {(longest: number) => number} stepOf */
function timeAxis(run, kit, stepOf) {
  const max = horizonOf(run);
  return { type: "value", min: 0, max, interval: stepOf(max), axisLabel: { hideOverlap: true, showMaxLabel: false, formatter: (/** @type {number} */ value) => kit.format.duration(value) } };
}

/** @param {any} run @param {any} colors @param {any} kit @param {any} xAxis */
function ganttOption(run, colors, kit, xAxis) {
  const { duration } = kit.format;
  /** @type {Bar[]} */
  const bars = run.bars;
  const box = (/** @type {any} */ at, /** @type {number} */ from, /** @type {number} */ share, /** @type {any} */ style) => {
    const row = at.value(0);
    const [x, y] = at.coord([at.value(1), row]);
    const [to] = at.coord([at.value(2), row]);
    const height = at.size([0, 1])[1];
    return { type: "rect", shape: { x, y: y + (from - 0.5) * height, width: Math.max(1.5, to - x), height: share * height, r: 2 }, style };
  };
  const of = (/** @type {boolean} */ isPredicted) => bars.map((one, row) => ({ one, row })).filter(({ one }) => one.isPredicted === isPredicted).map(({ one, row }) => [row, one.start, one.end]);
  const stages = bars.flatMap((one, row) => stagesOf(one).map((stage) => ({ ...stage, row })));
  const job = (/** @type {Bar} */ one) => `Job ${one.job}${one.isPredicted ? ", predicted" : ""}\n${duration(one.end - one.start)}${one.told.end_scale_out ? `, ${kit.format.plural(one.told.end_scale_out, "executor")}` : ""}`;
  const stage = (/** @type {any} */ one) => `Stage ${one.told.stage_id}: ${one.told.name.slice(0, 60)}\n${duration(one.end - one.start)}, ${kit.format.plural(one.told.num_tasks ?? 0, "task")}${one.told.failure_reason ? `\n${String(one.told.failure_reason).slice(0, 80)}` : ""}`;
  const jobTip = { formatter: (/** @type {any} */ at) => job(bars[at.value[0]]) };
  return {
    legend: { top: 0, left: 0, data: ["Jobs", "Stages", ...(bars.some((one) => one.isPredicted) ? ["Predicted"] : [])] },
    grid: { left: LEFT_PX, right: 24, top: 44, bottom: 26, containLabel: false },
    tooltip: { trigger: "item" },
    xAxis,
    yAxis: { type: "category", inverse: true, data: bars.map((one) => `job ${one.job}`), axisLabel: { fontSize: 11 }, splitLine: { show: false } },
    series: [
      { type: "custom", name: "Jobs", clip: true, data: of(false), encode: { x: [1, 2], y: 0 }, itemStyle: { color: colors.line }, tooltip: jobTip, renderItem: (/** @type {any} */ _, /** @type {any} */ at) => box(at, 0.08, 0.84, { fill: colors.soft, stroke: colors.line }) },
      { type: "custom", name: "Stages", clip: true, data: stages.map((one) => [one.row, one.start, one.end]), encode: { x: [1, 2], y: 0 }, itemStyle: { color: colors.series[0] }, z: 3, tooltip: { formatter: (/** @type {any} */ at) => stage(stages[at.dataIndex]) }, renderItem: (/** @type {any} */ params, /** @type {any} */ at) => {
        const one = stages[params.dataIndex];
        return box(at, 0.2 + (0.6 * one.lane) / one.lanes, 0.6 / one.lanes, { fill: one.told.failure_reason ? colors.bad : colors.series[0] });
      } },
      { type: "custom", name: "Predicted", clip: true, data: of(true), encode: { x: [1, 2], y: 0 }, itemStyle: { color: colors.series[2] }, tooltip: jobTip, renderItem: (/** @type {any} */ _, /** @type {any} */ at) => box(at, 0.16, 0.68, { fill: "transparent", stroke: colors.series[2], lineDash: [4, 3], lineWidth: 1.5 }) },
      { type: "line", data: [[0, 0]], symbol: "none", silent: true, markLine: linesOf(run, colors, kit, true) },
    ],
  };
}

/**
 * The stages of a job that ran, each in a lane of those that ran at the same time. Pure.
 * @param {Bar} bar @returns {{start: number, end: number, lane: number, lanes: number, told: any}[]}
 */
export function stagesOf({ start, told }) {
  const began = told.start_s ?? told.end_s;
  /** @type {number[]} */
  const free = [];
  const ran = Object.values(told.stages ?? {}).filter((/** @type {any} */ one) => isTime(one.start_s) && isTime(one.end_s)).sort((a, b) => a.start_s - b.start_s);
  const found = ran.map((one) => {
    const from = free.findIndex((until) => until <= one.start_s);
    const lane = from < 0 ? free.length : from;
    free[lane] = one.end_s;
    return { start: start + one.start_s - began, end: start + one.end_s - began, lane, told: one };
  });
  return found.map((one) => ({ ...one, lanes: free.length }));
}

/** @param {any} run @param {any} colors @param {any} kit @param {any} xAxis */
function executorsOption(run, colors, kit, xAxis) {
  const { executors, decisions } = run;
  const seen = executors.length ? [...executors, [run.elapsed !== null && run.elapsed <= run.shown ? run.elapsed : executors.at(-1)[0], executors.at(-1)[1]]] : [];
  const before = (/** @type {number} */ index) => (index ? decisions[index - 1].scale_out : run.application.start_scale_out ?? null);
  const marks = decisions.map((/** @type {any} */ one, /** @type {number} */ index) => ({
    value: [one.at, one.scale_out],
    symbolSize: one.scale_out === before(index) ? 7 : 13,
  }));
  const told = (/** @type {any} */ one) => `After job ${one.after_job}: ${kit.format.plural(one.scale_out, "executor")}\n${wrapped(one.why)}\n${one.model}`;
  return {
    legend: { top: 0, left: 0, data: ["Executors", "Decisions"] },
    grid: { left: LEFT_PX, right: 24, top: 44, bottom: 26, containLabel: false },
    tooltip: { trigger: "item" },
    xAxis,
    yAxis: { type: "value", min: 0, max: (/** @type {any} */ seen) => Math.ceil(seen.max * 1.2), minInterval: 1 },
    series: [
      { type: "line", name: "Executors", step: "end", data: seen, showSymbol: false, itemStyle: { color: colors.series[0] }, areaStyle: { color: colors.accentSoft }, markLine: linesOf(run, colors, kit, false) },
      { type: "scatter", name: "Decisions", data: marks, symbol: "diamond", itemStyle: { color: colors.series[1], borderColor: colors.surface, borderWidth: 1 }, tooltip: { formatter: (/** @type {any} */ at) => told(decisions[at.dataIndex]) }, z: 5 },
    ],
  };
}

/** A text in lines that fit a tooltip. @param {string} text */
function wrapped(text) {
  return text.replace(/(.{1,48})(\s+|$)/g, "$1\n").trim();
}

/** @param {any} kit */
function decisionsTable(kit) {
  const decided = (/** @type {any} */ one) => [kit.format.plural(one.scale_out, "executor"), one.probability !== null && `${Math.floor(100 * one.probability + 1e-9)}% in time`].filter(Boolean).join(", ");
  return kit.table(
    [
      { title: "After", isHead: true, sortBy: (/** @type {any} */ one) => one.after_job, cell: (/** @type {any} */ one) => kit.dom.h("span", { class: "cell-title keep" }, kit.dom.h("span", null, one.after_job < 0 ? "the start" : `job ${one.after_job}`), kit.dom.h("span", null, decided(one))) },
      { title: "Why", cell: (/** @type {any} */ one) => kit.dom.h("span", { class: "why" }, one.why, kit.dom.h("span", null, one.model)) },
    ],
    { key: (/** @type {any} */ one) => String(one.after_job), sort: { column: 0, down: true }, caption: "What was decided after each job", empty: () => kit.dom.h("p", { class: "hint" }, "Nothing was decided: this run asked for no plan.") },
  );
}

/** @param {any} kit */
function jobsTable(kit) {
  const { duration } = kit.format;
  const ran = (/** @type {Bar} */ one) => stagesOf(one).length;
  return kit.table(
    [
      { title: "Job", isHead: true, cell: (/** @type {Bar} */ one) => `${one.job}${one.isPredicted ? ", predicted" : ""}` },
      { title: "Began after", isNumber: true, cell: (/** @type {Bar} */ one) => duration(Math.max(0, one.start)) },
      { title: "Took", isNumber: true, cell: (/** @type {Bar} */ one) => duration(one.end - one.start) },
      { title: "Stages", isNumber: true, hint: "That ran; others were skipped", cell: (/** @type {Bar} */ one) => (one.isPredicted ? kit.format.NONE : String(ran(one))) },
      { title: "Executors", isNumber: true, cell: (/** @type {Bar} */ one) => (one.told.end_scale_out ? [...new Set([one.told.start_scale_out, one.told.end_scale_out])].filter(Boolean).join(" to ") : kit.format.NONE) },
    ],
    { key: (/** @type {Bar} */ one) => `${one.job}`, caption: "Jobs of the run", empty: () => kit.dom.h("p", { class: "hint" }, "No job has ended yet.") },
  );
}

/** A line for each job and each stage, as a file has them. @param {any} run */
export function sheetOf(run) {
  const columns = ["job", "stage", "name", "predicted", "began_after_s", "took_s", "tasks", "start_scale_out", "end_scale_out"];
  const rows = run.bars.flatMap((/** @type {Bar} */ one) => [
    [one.job, null, null, one.isPredicted, one.start, one.end - one.start, null, one.told.start_scale_out, one.told.end_scale_out],
    ...stagesOf(one).map((stage) => [one.job, stage.told.stage_id, stage.told.name, false, stage.start, stage.end - stage.start, stage.told.num_tasks, stage.told.start_scale_out, stage.told.end_scale_out]),
  ]);
  return { title: "", columns, rows };
}
