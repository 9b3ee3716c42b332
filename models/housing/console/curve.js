// @ts-check
/** How the price changes along one figure, the others as they are; and by how much each figure moves it. */

const POINTS = 41;
const STYLES = `
.housing-reasons { display: grid; grid-template-columns: minmax(6rem, max-content) minmax(4rem, 1fr) max-content; align-items: center; gap: var(--space-2) var(--space-3); margin: 0; padding: 0; list-style: none; }
.housing-reasons > li { display: contents; }
.housing-reasons .track { position: relative; height: 1rem; }
.housing-reasons .track::after { position: absolute; inset: -0.25rem auto -0.25rem var(--zero); width: 1px; background: var(--line-strong); content: ""; }
.housing-reasons .track > span { position: absolute; inset-block: 0; border-radius: 3px; }
.housing-reasons .value { text-align: right; }
`;

/** @typedef {Record<string, number>} House */
/** @typedef {{low: number, high: number}} Range */

/**
 * Houses that differ in one figure alone, evenly over its range and with the value it has. Pure.
 * @param {House} house @param {string} name @param {Range} range
 * @returns {number[]}
 */
export function valuesAlong(house, name, { low, high }) {
  const [from, to] = [Math.min(low, house[name]), Math.max(high, house[name])];
  const values = Array.from({ length: POINTS }, (_, at) => Number((from + ((to - from) * at) / (POINTS - 1)).toPrecision(6)));
  return [...new Set([...values, house[name]])].sort((a, b) => a - b);
}

/** @param {any} kit */
export function curveOf(kit) {
  const { h, fill } = kit.dom;
  const place = h("div", { class: "chart" });
  const told = h("p", { class: "hint" });
  /** @type {any} */
  let drawn = null;

  /**
   * @param {{label: string, now: number, values: number[], predictions: (number | {prediction: number, lower?: number, upper?: number})[]}} given
   */
  async function show(given) {
    const points = given.predictions.map((one, at) => ({ x: given.values[at], ...(typeof one === "number" ? { prediction: one } : one) }));
    const prices = points.map(({ prediction }) => prediction);
    const lowest = points[prices.indexOf(Math.min(...prices))];
    const highest = points[prices.indexOf(Math.max(...prices))];
    kit.dom.setText(told, `From ${kit.dollars(lowest.prediction)} at ${kit.format.number(lowest.x)} to ${kit.dollars(highest.prediction)} at ${kit.format.number(highest.x)}; everything else as it is.`);
    const describe = (/** @type {any} */ colors) => optionOf(points, given, colors, kit);
    try {
      if (drawn) drawn.update(describe);
      else drawn = await kit.chart(place, describe, { label: "Price along one figure, the others as they are" });
    } catch (error) {
      fill(place, kit.blocks.errorState(error));
    }
  }
  return { element: h("div", { class: "stack tight" }, place, told), show };
}

/** @param {any[]} points @param {{label: string, now: number}} given @param {any} colors @param {any} kit */
function optionOf(points, { label, now }, colors, kit) {
  const hasBand = points.every(({ lower }) => lower !== undefined && lower !== null);
  const here = points.find(({ x }) => x === now);
  const band = { id: "band", type: "custom", silent: true, clip: true, encode: { x: 0, y: [1, 2] }, data: points.map(({ x, lower, upper }) => [x, lower, upper]), renderItem: (/** @type {any} */ one, /** @type {any} */ api) => bandOf(points, one, api, colors.accent) };
  const at = (/** @type {any} */ found) => {
    const point = points[found.find((/** @type {any} */ one) => one.seriesId === "price")?.dataIndex];
    if (!point) return "";
    const interval = hasBand ? `\n90%: ${kit.dollars(point.lower)} to ${kit.dollars(point.upper)}` : "";
    return `${label} ${kit.format.number(point.x)}\n${kit.dollars(point.prediction)}${interval}`;
  };
  return {
    animation: false,
    grid: { left: 8, right: 20, top: 16, bottom: 28, containLabel: true },
    tooltip: { trigger: "axis", formatter: at },
    xAxis: { type: "value", min: points[0].x, max: points[points.length - 1].x, name: label, nameLocation: "middle", nameGap: 28, axisLabel: { hideOverlap: true, showMinLabel: false, showMaxLabel: false } },
    yAxis: { type: "value", scale: true, axisLabel: { formatter: (/** @type {number} */ value) => kit.dollars(value) } },
    series: [
      hasBand && band,
      { id: "price", type: "line", showSymbol: false, lineStyle: { width: 2.5, color: colors.accent }, itemStyle: { color: colors.accent }, data: points.map(({ x, prediction }) => [x, prediction]) },
      here && { id: "here", type: "scatter", silent: true, symbolSize: 13, itemStyle: { color: colors.series[1], borderColor: colors.surface, borderWidth: 2 }, data: [[here.x, here.prediction]], z: 5 },
    ].filter(Boolean),
  };
}

/** All of it with the first point, the others have none. @param {any[]} points @param {any} one @param {any} api @param {string} color */
function bandOf(points, one, api, color) {
  if (one.dataIndexInside > 0) return null;
  const edge = [...points.map(({ x, lower }) => [x, lower]), ...points.map(({ x, upper }) => [x, upper]).reverse()];
  return { type: "polygon", shape: { points: edge.map((point) => api.coord(point)) }, style: { fill: color, opacity: 0.16 } };
}

/** @param {any} kit */
export function reasonsOf(kit) {
  const { h, fill } = kit.dom;
  kit.styles(STYLES);
  const list = h("ul", { class: "housing-reasons" });
  const told = h("p", { class: "hint" });

  /** @param {{base: number, contributions: Record<string, number>}} explanation @param {number} price @param {Record<string, string>} labels */
  function show({ base, contributions }, price, labels) {
    const all = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
    const values = all.map(([, value]) => value);
    const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
    const zero = ((0 - least) / (most - least || 1)) * 100;
    const items = all.map(([name, value]) => {
      const width = (Math.abs(value) / (most - least || 1)) * 100;
      const bar = h("span", { style: { left: `${value < 0 ? zero - width : zero}%`, width: `${width}%`, background: value < 0 ? "var(--series-2)" : "var(--series-1)" } });
      const track = h("span", { class: "track", "aria-hidden": "true" }, bar);
      track.style.setProperty("--zero", `${zero}%`);
      return h("li", null, h("span", null, labels[name] ?? name), track, h("span", { class: "value" }, kit.dollars(value, true)));
    });
    fill(list, ...items);
    kit.dom.setText(told, `Other districts cost ${kit.dollars(base)} on average; these add up to ${kit.dollars(price)} (Shapley values).`);
  }
  return { element: h("div", { class: "stack" }, list, told), show };
}
