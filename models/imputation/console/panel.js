// @ts-check
/** An imputed indicator: where, how much, how sure, and why. Also what is observed, from the same answer. */

const ROW_PX = 20;
/** Of names at the left of bars, where there is room and where there is little. */
const NAME_PX = { wide: 200, narrow: 124 };
/** Names of predictors are long, and often begin alike: they stand in lines. */
const PREDICTOR_PX = 36;
/** Beneath a matrix, for names at an angle. */
const SLANTED_PX = 150;
const SLANTED_NAME_PX = 184;
/** Where legends take two lines. */
const NARROW_PX = 600;
/** Height of the world's map as a share of its width, and what stands above and below it. */
const WORLD = { share: 0.52, top: 28, bottom: 44, side: 12 };

/** @typedef {{code: string, name: string, value: number, lower: number | null, upper: number | null, imputed: boolean}} Country */

/**
 * @param {{answer: any, body: any}} given
 * @param {any} kit
 */
export default async function panel({ answer, body }, kit) {
  const { h } = kit.dom;
  const year = String(body.target_year);
  const world = await kit.worldMap();
  const countries = countriesOf(answer, year, world);
  if (!countries.length) return null;
  const filled = countries.filter((one) => one.imputed);
  const caveats = answer.caveats ?? [];

  const history = historyOf(countries, body, kit);
  const bars = figure(kit, "Small island states", {
    name: `imputed-${body.target}-${year}`,
    height: `${countries.length * ROW_PX + 70}px`,
    label: `Values of ${countries.length} small island states in ${year}, ${filled.length} of them imputed, with 90% intervals`,
    describe: (/** @type {any} */ colors) => barsOption(countries, colors, kit),
    ready: (/** @type {any} */ chart) => chart.on("click", (/** @type {any} */ event) => history.show(countries[rowOf(event)].code)),
    sheet: sheetOf(countries),
  });
  const map = figure(kit, "Where", {
    name: `map-${body.target}-${year}`,
    label: `Map of the world with the values of the small island states in ${year}`,
    height: `calc(${100 * WORLD.share}cqw + ${WORLD.top + WORLD.bottom}px)`,
    describe: (/** @type {any} */ colors) => mapOption(countries, world, colors, kit),
  });
  const names = await namesOf(body, kit);
  const reasons = [importance(answer, names, kit), categories(answer, kit)].filter((one) => one !== null);

  return {
    title: "Picture",
    element: h(
      "div",
      { class: "stack" },
      h("p", { class: "muted" }, summary(answer, filled.length, countries.length, kit)),
      ...caveats.map((/** @type {any} */ one) => kit.blocks.notice("warn", one.country ? nameOf(one.country, world) : "All values", one.message)),
      map,
      bars,
      history.element,
      h("div", { class: "columns" }, ...reasons),
      correlation(answer, names, kit),
    ),
  };
}

/** @param {any} answer @param {string} year @param {Map<string, {name: string}>} world @returns {Country[]} the largest first */
export function countriesOf(answer, year, world) {
  const { data = {}, lowerIntervals = {}, upperIntervals = {} } = answer.indicatorJson ?? {};
  const imputed = new Map((answer.prediction?.["Country Code"] ?? []).map((/** @type {string} */ code, /** @type {number} */ at) => [code, answer.prediction.prediction[at]]));
  const values = { ...data[year], ...Object.fromEntries(imputed) };
  return Object.entries(values)
    .filter(([, value]) => typeof value === "number")
    .map(([code, value]) => ({
      code,
      name: nameOf(code, world),
      value: /** @type {number} */ (value),
      lower: lowerIntervals[year]?.[code] ?? null,
      upper: upperIntervals[year]?.[code] ?? null,
      imputed: imputed.has(code),
    }))
    .sort((first, second) => second.value - first.value);
}

/** @param {string} code @param {Map<string, {name: string}>} world */
function nameOf(code, world) {
  return world.get(code)?.name ?? code;
}

/** @param {any} answer @param {number} filled @param {number} all @param {any} kit */
function summary(answer, filled, all, kit) {
  const error = `Error on countries held out: ${kit.format.number(answer.rmse)} (RMSE)`;
  return `${kit.format.plural(filled, "value")} imputed, ${all - filled} observed. ${error}, ${kit.format.percent(answer.rmse_deviation)} of the mean or range.`;
}

/** @param {Country[]} countries */
function sheetOf(countries) {
  return {
    title: "",
    columns: ["code", "country", "value", "lower", "upper", "imputed"],
    rows: countries.map(({ code, name, value, lower, upper, imputed }) => [code, name, value, lower, upper, imputed]),
  };
}

/**
 * A picture with its heading, and buttons to keep it.
 * @param {any} kit @param {string} title
 * @param {{name: string, label: string, describe: (colors: any) => any, height?: string, ready?: (chart: any) => void, sheet?: any}} options
 */
function figure(kit, title, { name, label, describe, height = "22rem", ready = () => {}, sheet }) {
  const { h, icon } = kit.dom;
  const place = h("div", { class: "chart", style: { height } });
  /** @type {any} */
  let drawn = null;
  kit
    .chart(place, describe, { label })
    .then((/** @type {any} */ chart) => ready((drawn = chart)))
    .catch((/** @type {unknown} */ error) => kit.dom.fill(place, kit.blocks.errorState(error)));
  const png = h("button", { type: "button", class: "button small", onclick: () => drawn?.savePng(`${name}.png`) }, icon("download"), "PNG");
  const csv = sheet && h("button", { type: "button", class: "button small", onclick: () => kit.download(`${name}.csv`, kit.csvOf(sheet)) }, icon("download"), "Countries as CSV");
  // The height of what is drawn may be told by the width (`cqw`).
  const section = h("section", { class: "stack tight" }, h("div", { class: "row spread" }, h("h3", { class: "sheet-title" }, title), h("span", { class: "row" }, csv, png)), place);
  section.style.containerType = "inline-size";
  return section;
}

function namePx() {
  return innerWidth < NARROW_PX ? NAME_PX.narrow : NAME_PX.wide;
}

function inLines() {
  return { interval: 0, fontSize: 11, lineHeight: 12, width: namePx(), overflow: "break" };
}

/** @param {Country[]} countries @param {any} colors @param {any} kit */
function barsOption(countries, colors, kit) {
  const told = (/** @type {number} */ at) => {
    const { name, value, lower, upper, imputed } = countries[at];
    const interval = lower === null ? "" : `\n90%: ${kit.format.number(lower)} to ${kit.format.number(upper)}`;
    return `${name}\n${kit.format.number(value)} ${imputed ? "imputed" : "observed"}${interval}`;
  };
  const only = (/** @type {boolean} */ imputed) => countries.map((one) => (one.imputed === imputed ? one.value : null));
  const whiskers = countries.map((one, at) => [at, one.lower, one.upper]).filter(([, lower]) => lower !== null);
  return {
    legend: { top: 0, left: 0 },
    grid: { left: namePx() + 12, right: 24, top: 32, bottom: 28, containLabel: false },
    tooltip: { trigger: "item", formatter: (/** @type {any} */ at) => told(rowOf(at)) },
    xAxis: { type: "value", axisLabel: { hideOverlap: true } },
    yAxis: { type: "category", inverse: true, data: countries.map(({ name }) => name), axisLabel: { interval: 0, fontSize: 11, width: namePx(), overflow: "truncate" } },
    series: [
      { type: "bar", name: "Observed", data: only(false), barGap: "-100%", barWidth: "60%", itemStyle: { color: colors.series[5] } },
      { type: "bar", name: "Imputed", data: only(true), barWidth: "60%", itemStyle: { color: colors.series[0] } },
      { type: "custom", name: "90% interval", data: whiskers, encode: { x: [1, 2], y: 0 }, z: 5, itemStyle: { color: colors.text }, renderItem: (/** @type {any} */ _, /** @type {any} */ at) => whisker(at, colors.text) },
    ],
  };
}

/** Which country a bar or a whisker is of. @param {any} at */
function rowOf(at) {
  return at.seriesType === "custom" ? at.value[0] : at.dataIndex;
}

/** @param {any} at @param {string} stroke */
function whisker(at, stroke) {
  const row = at.value(0);
  const [from, y] = at.coord([at.value(1), row]);
  const [to] = at.coord([at.value(2), row]);
  const line = (/** @type {number[]} */ [x1, y1, x2, y2]) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: 1.5 } });
  return { type: "group", children: [[from, y, to, y], [from, y - 4, from, y + 4], [to, y - 4, to, y + 4]].map(line) };
}

/** @param {Country[]} countries @param {Map<string, {center: [number, number]}>} world @param {any} colors @param {any} kit */
function mapOption(countries, world, colors, kit) {
  const values = countries.map(({ value }) => value);
  const points = (/** @type {boolean} */ imputed) =>
    countries
      .filter((one) => one.imputed === imputed && world.has(one.code))
      .map((one) => ({ name: one.name, value: [.../** @type {any} */ (world.get(one.code)).center, one.value] }));
  const marks = (/** @type {string} */ name, /** @type {boolean} */ imputed, /** @type {string} */ symbol) => ({
    type: "scatter", name, coordinateSystem: "geo", symbol, symbolSize: imputed ? 14 : 9, data: points(imputed),
    itemStyle: { borderColor: colors.text, borderWidth: imputed ? 1.5 : 0.5 },
  });
  // Colours are of the value: here the shape tells.
  const key = (/** @type {string} */ name, /** @type {string} */ icon) => ({ name, icon, itemStyle: { color: colors.muted } });
  return {
    legend: { top: 0, left: 0, data: [key("Observed", "circle"), key("Imputed", "diamond")] },
    tooltip: { formatter: (/** @type {any} */ at) => (at.value ? `${at.name}\n${kit.format.number(at.value[2])} ${at.seriesName.toLowerCase()}` : "") },
    visualMap: { min: Math.min(...values), max: Math.max(...values), dimension: 2, orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, text: [kit.format.number(Math.max(...values)), kit.format.number(Math.min(...values))], inRange: { color: colors.ramp }, textStyle: { color: colors.muted } },
    geo: { map: "world", nameProperty: "iso3", roam: false, silent: true, top: WORLD.top, left: WORLD.side, right: WORLD.side, itemStyle: { areaColor: colors.soft, borderColor: colors.surface } },
    series: [marks("Observed", false, "circle"), marks("Imputed", true, "diamond")],
  };
}

/** The series of one country, where the model of time series is served. @param {Country[]} countries @param {any} body @param {any} kit */
function historyOf(countries, body, kit) {
  const { h, fill } = kit.dom;
  const first = countries.find(({ imputed }) => imputed) ?? countries[0];
  const choose = h("select", { class: "input", "aria-label": "Country" }, ...[...countries].sort((a, b) => a.name.localeCompare(b.name)).map(({ code, name }) => h("option", { value: code }, name)));
  const place = h("div", { class: "chart", style: { height: "18rem" } });
  const element = h("section", { class: "stack tight" }, h("div", { class: "row spread" }, h("h3", { class: "sheet-title" }, "A country's own history"), h("span", null, choose)), place);
  /** @type {any} */
  let drawn = null;

  /** @param {string} code */
  async function show(code) {
    choose.value = code;
    try {
      const models = await kit.api.get("/models");
      if (!models.some((/** @type {any} */ one) => one.routes.includes("POST /timeseries/panel"))) {
        fill(place, kit.blocks.emptyState("The model timeseries is not served here", "It knows the series of single countries."));
        return;
      }
      const { rows } = await kit.api.send("POST", "/timeseries/panel", { targets: [body.target], countries: [code] });
      if (choose.value !== code) return;
      const country = /** @type {Country} */ (countries.find((one) => one.code === code));
      const describe = (/** @type {any} */ colors) => historyOption(rows, country, String(body.target_year), colors);
      if (drawn) drawn.update(describe);
      else drawn = await kit.chart(place, describe, { label: `The series of ${body.target} in the country that is chosen` });
    } catch (error) {
      drawn = null;
      fill(place, kit.blocks.errorState(error, () => show(code)));
    }
  }

  choose.addEventListener("change", () => show(choose.value));
  show(first.code);
  return { element, show };
}

/** @param {any[]} rows @param {Country} country @param {string} year @param {any} colors */
function historyOption(rows, country, year, colors) {
  const observed = rows.map((row) => (row.observed ? [String(row.year), row.value] : [String(row.year), null]));
  const band = rows.filter((row) => row.lower !== null);
  return {
    legend: { top: 0, left: 0 },
    tooltip: { trigger: "axis" },
    grid: { left: 8, right: 24, top: innerWidth < NARROW_PX ? 60 : 36, bottom: 8, containLabel: true },
    xAxis: { type: "category", data: rows.map((row) => String(row.year)) },
    yAxis: { type: "value", scale: true },
    series: [
      { type: "line", name: "Along its own series", data: rows.map((row) => [String(row.year), row.value]), showSymbol: false, lineStyle: { type: "dashed", color: colors.series[2] }, itemStyle: { color: colors.series[2] } },
      { type: "custom", name: "Its interval", data: band.map((row) => [String(row.year), row.lower, row.upper]), encode: { x: 0, y: [1, 2] }, itemStyle: { color: colors.series[2], opacity: 0.4 }, renderItem: (/** @type {any} */ _, /** @type {any} */ at) => upright(at, colors.series[2]) },
      { type: "scatter", name: "Observed", data: observed, symbolSize: 8, itemStyle: { color: colors.series[5] } },
      { type: "scatter", name: `${country.imputed ? "Imputed" : "Value"} in ${year}`, data: [[year, country.value]], symbol: "diamond", symbolSize: 14, z: 6, itemStyle: { color: colors.series[0] } },
    ],
  };
}

/** @param {any} at @param {string} stroke */
function upright(at, stroke) {
  const [x, from] = at.coord([at.value(0), at.value(1)]);
  const [, to] = at.coord([at.value(0), at.value(2)]);
  return { type: "line", shape: { x1: x, y1: from, x2: x, y2: to }, style: { stroke, lineWidth: 4, opacity: 0.4 } };
}

/** Names of indicators by code; none where they cannot be had. @param {any} body @param {any} kit @returns {Promise<Record<string, string>>} */
async function namesOf(body, kit) {
  const { target_year, target, dataset } = body;
  try {
    const found = await kit.api.send("POST", "/imputation/predictors", { target_year, target, scheme: "MANUAL", ...(dataset ? { dataset } : {}) });
    return Object.fromEntries(Object.entries(found).map(([code, name]) => [code, String(name).replace(/-(none|total)$/, "").replace(/\b(\w+)-\1$/, "$1")]));
  } catch {
    return {};
  }
}

/** @param {any} answer @param {Record<string, string>} names @param {any} kit */
function importance(answer, names, kit) {
  const pairs = (answer.model_feature_names ?? []).map((/** @type {string} */ code, /** @type {number} */ at) => ({ code, value: answer.model_feature_importance[at] }));
  if (!pairs.length) return null;
  pairs.sort((/** @type {any} */ a, /** @type {any} */ b) => b.value - a.value);
  return figure(kit, "Importance of the predictors", {
    name: "importance",
    height: `${pairs.length * PREDICTOR_PX + 40}px`,
    label: `Importance of ${pairs.length} predictors, ${names[pairs[0].code] ?? pairs[0].code} most of all`,
    describe: (/** @type {any} */ colors) => ({
      tooltip: { formatter: (/** @type {any} */ at) => `${names[pairs[at.dataIndex].code] ?? ""}\n${pairs[at.dataIndex].code}\n${kit.format.percent(at.value)}` },
      grid: { left: namePx() + 12, right: 24, top: 8, bottom: 28, containLabel: false },
      xAxis: { type: "value", splitNumber: innerWidth < NARROW_PX ? 3 : 5, axisLabel: { hideOverlap: true, formatter: (/** @type {number} */ value) => kit.format.percent(value, 0) } },
      yAxis: { type: "category", inverse: true, data: pairs.map(({ code }) => names[code] ?? code), axisLabel: inLines() },
      series: [{ type: "bar", data: pairs.map(({ value }) => value), barWidth: "60%", itemStyle: { color: colors.series[0] } }],
    }),
  });
}

/** @param {any} answer @param {any} kit */
function categories(answer, kit) {
  const { category = [], value = [] } = answer.feature_importance_pie ?? {};
  if (!category.length) return null;
  return figure(kit, "Importance by category", {
    name: "categories",
    height: "17rem",
    label: `Importance by category: ${category.map((/** @type {string} */ one, /** @type {number} */ at) => `${one} ${kit.format.percent(value[at])}`).join(", ")}`,
    describe: (/** @type {any} */ colors) => ({
      legend: { bottom: 0, formatter: (/** @type {string} */ name) => `${name} ${kit.format.percent(value[category.indexOf(name)], 0)}` },
      tooltip: { formatter: (/** @type {any} */ at) => `${at.name}\n${kit.format.percent(at.value)}` },
      series: [{ type: "pie", radius: ["48%", "76%"], center: ["50%", "44%"], label: { show: false }, itemStyle: { borderColor: colors.surface, borderWidth: 2 }, data: category.map((/** @type {string} */ name, /** @type {number} */ at) => ({ name, value: value[at] })) }],
    }),
  });
}

/** @param {any} answer @param {Record<string, string>} names @param {any} kit */
function correlation(answer, names, kit) {
  const { index = [], data = [] } = answer.correlation ?? {};
  if (index.length < 2) return null;
  const labels = index.map((/** @type {string} */ code) => names[code] ?? code);
  const cells = data.flatMap((/** @type {number[]} */ row, /** @type {number} */ y) => row.map((value, x) => [x, y, value]));
  return figure(kit, "Correlation of the predictors", {
    name: "correlation",
    height: `${Math.max(300, index.length * PREDICTOR_PX + SLANTED_PX + 20)}px`,
    label: `Correlations of ${index.length} predictors with each other`,
    describe: (/** @type {any} */ colors) => ({
      tooltip: { formatter: (/** @type {any} */ at) => `${labels[at.value[0]]}\n${labels[at.value[1]]}\n${kit.format.number(at.value[2], 3)}` },
      grid: { left: namePx() + 12, right: 16, top: 8, bottom: SLANTED_PX, containLabel: false },
      xAxis: { type: "category", data: labels, axisLabel: { interval: 0, rotate: 45, fontSize: 11, width: SLANTED_NAME_PX, overflow: "truncate" } },
      yAxis: { type: "category", inverse: true, data: labels, axisLabel: inLines() },
      visualMap: { min: -1, max: 1, orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, text: ["1", "-1"], inRange: { color: colors.diverging }, textStyle: { color: colors.muted } },
      series: [{ type: "heatmap", data: cells }],
    }),
  });
}
