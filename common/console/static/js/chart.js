// @ts-check
/**
 * Charts by Apache ECharts. The one module that knows the library, which is fetched with the first chart of a page.
 *
 * A chart is described by a function of colours, so that it is drawn anew when the theme changes. What it shows has to
 * stand in the page as text or as a table too: a picture is for the eyes only, and has a label for all others.
 *
 *     const bars = await chart(byId("bars"), (colors) => ({ xAxis: {}, yAxis: { type: "category", data: names },
 *       series: [{ type: "bar", data: values }] }), { label: "Importance of each indicator" });
 *     bars.update(describeOtherwise);   bars.savePng("importance.png");   bars.dispose();
 */

import { h } from "./dom.js";
import { token } from "./theme.js";

/**
 * @typedef {object} Colors of the theme, as `rgb(…)`
 * @property {string} text
 * @property {string} muted
 * @property {string} line
 * @property {string} surface
 * @property {string} soft a surface that stands out a little, for what has no value
 * @property {string} accent
 * @property {string} accentSoft
 * @property {string} good
 * @property {string} warn
 * @property {string} bad
 * @property {string[]} series in the order of use
 * @property {string[]} ramp from little to much
 * @property {string[]} diverging from minus over nothing to plus
 */
/** @typedef {(colors: Colors) => Record<string, any>} Describe gives what ECharts calls an option */
/**
 * @typedef {object} Chart
 * @property {(describe?: Describe) => void} update draws it anew, as described now
 * @property {(filename: string) => void} savePng
 * @property {(event: string, handler: (event: any) => void) => void} on clicks and the like, as ECharts names them
 * @property {() => void} dispose
 * @property {any} instance of the library, for what this module has no words for
 */

const { charts: LIBRARY = "", shapes: SHAPES = "" } = document.documentElement.dataset;

/** @type {Promise<any> | undefined} */
let library;
/** @type {Promise<any> | undefined} */
let world;

/**
 * Draw a chart into an element, which gets a height by its class (`chart`, `chart tall`).
 * @param {HTMLElement} element
 * @param {Describe} describe
 * @param {{label: string}} options what the picture shows, in a sentence
 * @returns {Promise<Chart>}
 */
export async function chart(element, describe, { label }) {
  const echarts = await load();
  const place = h("div", { class: "chart-canvas", role: "img", "aria-label": label });
  element.replaceChildren(place);
  const instance = echarts.init(place, null, { renderer: "canvas" });
  let described = describe;
  const draw = () => instance.setOption(withDefaults(described(colors())), { notMerge: true });
  const resized = new ResizeObserver(() => instance.resize());
  resized.observe(place);
  addEventListener("themechange", draw);
  draw();
  return {
    instance,
    update(next = described) {
      described = next;
      draw();
    },
    on: (event, handler) => instance.on(event, handler),
    savePng(filename) {
      const address = instance.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: colors().surface });
      h("a", { href: address, download: filename }).click();
    },
    dispose() {
      resized.disconnect();
      removeEventListener("themechange", draw);
      instance.dispose();
      place.remove();
    },
  };
}

/**
 * The countries of the world, known to charts as the map `world` whose regions are named by their `iso3` code
 * (`{type: "map", map: "world", nameProperty: "iso3"}`).
 *
 * @returns {Promise<Map<string, {name: string, center: [number, number]}>>} by `iso3`: the English name, and longitude
 *   and latitude of a point in the country, for a mark where the shape is too small to be seen
 */
export function worldMap() {
  world ??= Promise.all([load(), fetchShapes()]).then(([echarts, shapes]) => {
    echarts.registerMap("world", shapes);
    return new Map(shapes.features.map((/** @type {any} */ feature) => [feature.properties.iso3, feature.properties]));
  });
  world.catch(() => (world = undefined));
  return world;
}

/** The colours of the theme that is shown now. @returns {Colors} */
export function colors() {
  return {
    text: token("text"),
    muted: token("text-muted"),
    line: token("line"),
    surface: token("surface-1"),
    soft: token("surface-3"),
    accent: token("accent"),
    accentSoft: token("accent-soft"),
    good: token("good"),
    warn: token("warn"),
    bad: token("bad"),
    series: [1, 2, 3, 4, 5, 6].map((index) => token(`series-${index}`)),
    ramp: [1, 2, 3, 4, 5].map((index) => token(`ramp-${index}`)),
    diverging: [token("series-2"), token("surface-1"), token("series-1")],
  };
}

/** What a chart says about its colours, unless it says otherwise. @param {Record<string, any>} option */
function withDefaults(option) {
  const { text, muted, line, surface, series } = colors();
  const axis = {
    axisLine: { lineStyle: { color: line } },
    axisTick: { show: false },
    axisLabel: { color: muted },
    nameTextStyle: { color: muted },
    splitLine: { lineStyle: { color: line } },
    splitArea: { show: false },
  };
  const themed = (/** @type {any} */ given) => {
    if (given === undefined) return undefined;
    return Array.isArray(given) ? given.map((one) => merge(axis, one)) : merge(axis, given);
  };
  const made = {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 250,
    color: series,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text },
    grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
    ...option,
    // Drawn into the picture: as HTML it would bring styles that the policy of the page forbids.
    tooltip: merge(
      {
        renderMode: "richText",
        confine: true,
        backgroundColor: surface,
        borderColor: line,
        borderWidth: 1,
        padding: [8, 10],
        textStyle: { color: text, fontSize: 12 },
        axisPointer: { lineStyle: { color: muted }, crossStyle: { color: muted } },
      },
      option.tooltip ?? {},
    ),
  };
  for (const name of ["xAxis", "yAxis", "parallelAxis"]) {
    if (option[name] !== undefined) made[name] = themed(option[name]);
  }
  if (option.legend) made.legend = merge({ textStyle: { color: muted }, icon: "roundRect", itemWidth: 12, itemHeight: 8 }, option.legend);
  return made;
}

/**
 * Members of both, those of `over` first; lists and everything else that is no plain object is taken whole. Pure.
 * @param {any} under @param {any} over
 * @returns {any}
 */
export function merge(under, over) {
  const made = { ...under };
  for (const [name, value] of Object.entries(over)) {
    made[name] = isPlain(value) && isPlain(under[name]) ? merge(under[name], value) : value;
  }
  return made;
}

/** @param {any} value */
function isPlain(value) {
  return value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
}

function load() {
  library ??= new Promise((resolve, reject) => {
    // No module: it leaves its name in the window.
    const script = h("script", { src: LIBRARY, async: true });
    script.addEventListener("load", () => resolve(/** @type {any} */ (window).echarts));
    script.addEventListener("error", () => reject(new Error("The chart library could not be loaded.")));
    document.head.append(script);
  });
  library.catch(() => (library = undefined));
  return library;
}

async function fetchShapes() {
  const response = await fetch(SHAPES);
  if (!response.ok) throw new Error("The shapes of the countries could not be loaded.");
  return response.json();
}
