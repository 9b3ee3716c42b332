// @ts-check
/** The map: districts of the training by place and price, and a pin that pointer and keys move. */

/** Degrees that a key moves the pin by; ten times as many with Shift. */
const STEP = 0.05;
const MARGIN = 0.25;
const DIGITS = 2;
const KEYS = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
/** To find one's way: name, latitude, longitude. Those beyond the map are left out. @type {[string, number, number][]} */
const CITIES = [
  ["San Francisco", 37.77, -122.42],
  ["Sacramento", 38.58, -121.49],
  ["Fresno", 36.74, -119.79],
  ["Los Angeles", 34.05, -118.24],
  ["San Diego", 32.72, -117.16],
  ["Redding", 40.59, -122.39],
];
/** The pin stands there at first, where a name at the left would be hidden. */
const SOUTH_OF_PIN = "Los Angeles";
const STYLES = `
.housing-map { position: relative; aspect-ratio: 0.86; max-height: 44rem; margin-inline: auto; width: 100%; touch-action: pan-y; }
.housing-map .chart { position: absolute; inset: 0; height: 100%; cursor: crosshair; }
.housing-pin { position: absolute; z-index: 1; width: 1.5rem; height: 1.5rem; padding: 0; border: 3px solid var(--surface-1); border-radius: 50%; background: var(--series-2); box-shadow: 0 0 0 1.5px var(--text), var(--shadow-2); translate: -50% -50%; cursor: grab; touch-action: none; }
.housing-pin:active { cursor: grabbing; }
.housing-pin:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
`;

/** @typedef {{Latitude: number, Longitude: number}} Place */
/** @typedef {{ranges: Record<string, {least: number, most: number}>, columns: string[], rows: number[][]}} Learned as `GET /housing/districts` answers */

/**
 * @param {Learned} learned @param {any} kit @param {(place: Place) => void} onMove
 * @returns {{element: HTMLElement, show: (place: Place) => void}}
 */
export function pictureOf(learned, kit, onMove) {
  const { h } = kit.dom;
  kit.styles(STYLES);
  const bounds = boundsOf(learned);
  const canvas = h("div", { class: "chart" });
  const pin = h("button", { type: "button", class: "housing-pin", role: "slider", "aria-roledescription": "pin on a map", "aria-label": "Place of the district; the arrow keys move it", "aria-valuemin": bounds.Latitude[0], "aria-valuemax": bounds.Latitude[1], hidden: true });
  const element = h("div", { class: "housing-map" }, canvas, pin);
  /** @type {any} */
  let chart = null;
  /** @type {Place} */
  let here = { Latitude: 0, Longitude: 0 };

  pin.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const direction = KEYS[/** @type {keyof typeof KEYS} */ (event.key)];
    if (!direction) return;
    event.preventDefault();
    const step = event.shiftKey ? STEP * 10 : STEP;
    move({ Latitude: here.Latitude + direction[0] * step, Longitude: here.Longitude + direction[1] * step });
  });
  pin.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => pin.setPointerCapture(event.pointerId));
  pin.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (pin.hasPointerCapture(event.pointerId)) moveTo(event.clientX, event.clientY);
  });

  /** @param {number} x @param {number} y of the window */
  function moveTo(x, y) {
    const { left, top } = canvas.getBoundingClientRect();
    const found = chart?.instance.convertFromPixel({ gridIndex: 0 }, [x - left, y - top]);
    if (found) move({ Longitude: found[0], Latitude: found[1] });
  }

  /** @param {Place} place */
  function move({ Latitude, Longitude }) {
    onMove({ Latitude: within(Latitude, bounds.Latitude), Longitude: within(Longitude, bounds.Longitude) });
  }

  /** @param {Place} place */
  function show(place) {
    here = place;
    pin.setAttribute("aria-valuenow", String(place.Latitude));
    pin.setAttribute("aria-valuetext", placeText(place));
    if (!chart) return;
    // At the edge where it lies beyond.
    const [x, y] = chart.instance.convertToPixel({ gridIndex: 0 }, [within(place.Longitude, bounds.Longitude), within(place.Latitude, bounds.Latitude)]);
    Object.assign(pin.style, { left: `${x}px`, top: `${y}px` });
    pin.hidden = false;
  }

  const label = `Map of ${learned.rows.length} districts by longitude and latitude, coloured by price; a pin marks the place that is asked about`;
  kit
    .chart(canvas, (/** @type {any} */ colors) => optionOf(learned, bounds, colors, kit), { label })
    .then((/** @type {any} */ made) => {
      chart = made;
      chart.instance.getZr().on("click", (/** @type {any} */ event) => moveTo(event.event.clientX ?? event.event.zrX, event.event.clientY ?? event.event.zrY));
      // After the chart's own, so that it has its new size.
      new ResizeObserver(() => show(here)).observe(canvas);
      show(here);
    })
    .catch((/** @type {unknown} */ error) => kit.dom.fill(canvas, kit.blocks.errorState(error)));
  return { element, show };
}

/** @param {Place} place */
export function placeText({ Latitude, Longitude }) {
  return `${Math.abs(Latitude).toFixed(DIGITS)}° ${Latitude < 0 ? "south" : "north"}, ${Math.abs(Longitude).toFixed(DIGITS)}° ${Longitude < 0 ? "west" : "east"}`;
}

/**
 * The known district that is nearest. Pure.
 * @param {Learned} learned @param {Place} place
 * @returns {{figures: Record<string, number>, km: number}}
 */
export function nearest({ columns, rows }, { Latitude, Longitude }) {
  const [north, east] = [columns.indexOf("Latitude"), columns.indexOf("Longitude")];
  const shrink = Math.cos((Latitude * Math.PI) / 180);
  const far = (/** @type {number[]} */ row) => Math.hypot(row[north] - Latitude, (row[east] - Longitude) * shrink);
  const found = rows.reduce((best, row) => (far(row) < far(best) ? row : best));
  // A degree of a meridian.
  return { figures: Object.fromEntries(columns.map((name, at) => [name, found[at]])), km: far(found) * 111.2 };
}

/** @param {Learned} learned @returns {{Latitude: [number, number], Longitude: [number, number]}} */
function boundsOf({ ranges }) {
  const ends = (/** @type {string} */ name) => /** @type {[number, number]} */ ([round(ranges[name].least - MARGIN), round(ranges[name].most + MARGIN)]);
  return { Latitude: ends("Latitude"), Longitude: ends("Longitude") };
}

/** @param {number} value @param {[number, number]} ends */
function within(value, [least, most]) {
  return round(Math.min(most, Math.max(least, value)));
}

/** @param {number} value */
function round(value) {
  return Number(value.toFixed(DIGITS));
}

/** Five meridians and their names side by side need more than a phone has. */
function canvasIsNarrow() {
  return innerWidth < 480;
}

/** @param {Learned} learned @param {ReturnType<typeof boundsOf>} bounds @param {any} colors @param {any} kit */
function optionOf({ columns, rows }, bounds, colors, kit) {
  const [north, east, price] = ["Latitude", "Longitude", "prediction"].map((name) => columns.indexOf(name));
  const prices = rows.map((row) => row[price]).sort((a, b) => a - b);
  // A few are far dearer than all others.
  const ends = [prices[Math.floor(prices.length * 0.02)], prices[Math.floor(prices.length * 0.98)]];
  const cities = CITIES.filter(([, y, x]) => y > bounds.Latitude[0] && y < bounds.Latitude[1] && x > bounds.Longitude[0] && x < bounds.Longitude[1]);
  const axis = (/** @type {[number, number]} */ [min, max], /** @type {string} */ minus, /** @type {string} */ plus) => ({
    type: "value", min, max, interval: 2,
    axisLabel: { hideOverlap: true, fontSize: canvasIsNarrow() ? 10 : 12, showMinLabel: false, showMaxLabel: false, formatter: (/** @type {number} */ value) => `${Math.abs(Math.round(value))}° ${value < 0 ? minus : plus}` },
  });
  return {
    animation: false,
    grid: { left: 44, right: 8, top: 8, bottom: 64, containLabel: false },
    tooltip: { formatter: (/** @type {any} */ at) => (at.seriesId === "cities" ? at.value[2] : `${kit.dollars(at.value[2])}\n${placeText({ Latitude: at.value[1], Longitude: at.value[0] })}`) },
    visualMap: { seriesIndex: 0, dimension: 2, min: ends[0], max: ends[1], orient: "horizontal", left: "center", bottom: 0, itemHeight: 110, itemWidth: 10, calculable: false, text: [kit.dollars(ends[1]), kit.dollars(ends[0])], inRange: { color: colors.ramp.slice(1) }, textStyle: { color: colors.muted } },
    xAxis: axis(bounds.Longitude, "W", "E"),
    yAxis: axis(bounds.Latitude, "S", "N"),
    series: [
      { id: "districts", type: "scatter", symbolSize: 5, itemStyle: { opacity: 0.85 }, data: rows.map((row) => [row[east], row[north], row[price]]) },
      {
        id: "cities", type: "scatter", silent: true, symbol: "circle", symbolSize: 5, itemStyle: { color: colors.text, borderColor: colors.surface, borderWidth: 1.5 }, data: cities.map(([name, y, x]) => ({ value: [x, y, name], label: name === SOUTH_OF_PIN ? { position: "bottom", offset: [-34, 4] } : {} })),
        label: { show: true, position: "left", formatter: (/** @type {any} */ at) => at.value[2], color: colors.text, fontSize: 12, textBorderColor: colors.surface, textBorderWidth: 3 },
      },
    ],
  };
}
