// @ts-check
/** A district on the map: what a house in it costs, how sure that is, and what it depends on. */

const SOON_MS = 60;
/** The curve and the reasons are hundreds and thousands of predictions: once nothing moves. */
const SETTLED_MS = 350;
const UNIT_DOLLARS = 100_000;
const FRAGMENT = "#house=";
const STYLES = `
.housing { grid-template-columns: minmax(0, 1fr) minmax(0, 1.15fr); }
.housing > .stack, .stack:has(> .housing) { gap: var(--space-5); }
.housing-price { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 var(--space-3); }
.housing-price strong { font-size: 2.25rem; font-weight: 660; letter-spacing: -0.03em; line-height: 1.15; }
.housing-span { position: relative; height: 0.625rem; border-radius: 999px; background: var(--surface-3); }
.housing-span > span { position: absolute; inset-block: 0; border-radius: 999px; background: color-mix(in srgb, var(--accent) 40%, transparent); }
.housing-span > i { position: absolute; inset-block: -0.25rem; width: 3px; border-radius: 2px; background: var(--accent-strong); translate: -50% 0; }
.housing-trouble:empty, .housing .hint:empty { display: none; }
.housing-model { min-width: 12rem; width: auto; }
@media (width < 64rem) { .housing { grid-template-columns: minmax(0, 1fr); } }
`;

/** @typedef {Record<string, number>} House */

/** @param {{model: any}} given @param {any} kit */
export function page({ model }, kit) {
  const { h, fill } = kit.dom;
  kit.styles(STYLES);
  const element = h("div", { class: "stack" }, kit.blocks.skeleton(8));
  /** @type {Promise<any> | null} */
  let view = null;

  async function load() {
    try {
      const [learned, params, picture, curve, fields] = await Promise.all([
        kit.api.get("/housing/districts"), kit.api.get("/params"), kit.part("picture.js"), kit.part("curve.js"), kit.part("fields.js"),
      ]);
      const inputs = params.find((/** @type {any} */ one) => one.model === model.name)?.inputs ?? [];
      return viewOf(element, learned, inputs, { ...picture, ...curve, ...fields }, { ...kit, dollars });
    } catch (error) {
      view = null;
      fill(element, kit.blocks.errorState(error, () => (view = load())), error instanceof kit.api.ApiError && error.status === 503 && kit.blocks.notice("info", "No model answers", "Let a version serve under Versions, or make one under Train; see there what is needed."));
    }
  }
  return {
    title: "Map",
    element,
    onShow() {
      if (view) view.then((shown) => shown?.again());
      else view = load();
    },
  };
}

/** Prices as they were in 1990. @param {number} value in 100,000 dollars @param {boolean} [isChange] with its sign */
function dollars(value, isChange = false) {
  const rounded = Math.round((value * UNIT_DOLLARS) / 100) * 100;
  const text = `$${Math.abs(rounded).toLocaleString("en", { maximumFractionDigits: 0 })}`;
  return rounded < 0 ? `−${text}` : isChange ? `+${text}` : text;
}

/**
 * @param {HTMLElement} element @param {any} learned @param {any[]} inputs @param {any} parts @param {any} kit
 * @returns {{again: () => void}} asks again what failed
 */
function viewOf(element, learned, inputs, { pictureOf, placeText, nearest, fieldsOf, curveOf, reasonsOf, valuesAlong }, kit) {
  const { h, fill, icon, setText } = kit.dom;
  const names = Object.keys(learned.ranges);
  const figures = names.map((name) => figureOf(name, inputs.find((/** @type {any} */ one) => one.parameter === name)));
  const labels = Object.fromEntries(figures.map(({ name, label }) => [name, label]));
  /** @type {{house: House, kind: "boosted" | "svr", along: string}} */
  let state = { house: Object.fromEntries(names.map((name) => [name, learned.ranges[name].median])), kind: "boosted", along: names[0], ...fromAddress(names) };
  let isAsking = false;
  /** Something has changed since the last request. */
  let isDue = false;
  let settled = new AbortController();
  /** @type {number | undefined} */
  let timer;
  /** What nobody has changed needs no link. */
  let isTouched = false;

  const picture = pictureOf(learned, kit, (/** @type {House} */ place) => change(place));
  const fields = fieldsOf(figures, learned.ranges, kit, (/** @type {string} */ name, /** @type {number} */ value) => change({ [name]: value }));
  const curve = curveOf(kit);
  const reasons = reasonsOf(kit);
  const trouble = h("div", { class: "housing-trouble", role: "alert" });
  const price = h("div", { class: "stack tight", role: "status" });
  const meta = h("p", { class: "hint" });
  const near = h("div", { class: "row spread" });
  const kind = h("select", { class: "input housing-model", "aria-label": "Model" }, h("option", { value: "boosted" }, "Boosted trees"), h("option", { value: "svr" }, "Support vectors"));
  kind.addEventListener("change", () => ((state.kind = kind.value), change({})));
  const along = h("select", { class: "input housing-model", "aria-label": "Figure" }, ...figures.map(({ name, label }) => h("option", { value: name }, label)));
  along.addEventListener("change", () => ((state.along = along.value), change({})));
  const link = h("button", { type: "button", class: "button ghost square small", "aria-label": "Copy a link to this district", title: "Copy a link to this district", onclick: copyLink }, icon("link"));

  /** @param {House} figures_ */
  function change(figures_) {
    state.house = { ...state.house, ...figures_ };
    isTouched = true;
    show();
    ask();
  }

  function show() {
    picture.show(state.house);
    fields.show(state.house);
    kind.value = state.kind;
    along.value = state.along;
    const { km } = nearest(learned, state.house);
    const far = km < 1 ? "A known district lies here." : `The nearest known district is ${kit.format.number(km, 2)} km away.`;
    fill(near, h("p", { class: "hint" }, `${placeText(state.house)}. ${far}`), h("button", { type: "button", class: "button small", onclick: () => takeNearest() }, "Take its figures"));
  }

  function takeNearest() {
    const { prediction: _, ...figures_ } = nearest(learned, state.house).figures;
    change(figures_);
  }

  function ask() {
    isDue = true;
    settled.abort();
    clearTimeout(timer);
    if (!isAsking) follow();
  }

  /** One request at a time, so that the price follows what is being moved, and the last one counts. */
  async function follow() {
    isAsking = true;
    try {
      let found;
      while (isDue) {
        await pause(SOON_MS);
        isDue = false;
        found = await priceNow();
      }
      settled = new AbortController();
      depends(found, settled.signal);
    } catch (error) {
      failed(error);
    } finally {
      isAsking = false;
    }
    // Changed while it failed.
    if (isDue) ask();
  }

  async function priceNow() {
    const from = performance.now();
    const response = await kit.api.send("POST", `/housing/predict?${queryOf(state.kind)}`, state.house, { as: "response" });
    const found = await response.json();
    showPrice(found, (performance.now() - from) / 1000, response.headers);
    return found;
  }

  /** What the price depends on, once nothing moves. @param {{prediction: number}} found @param {AbortSignal} signal */
  async function depends(found, signal) {
    const { house, kind: model, along: name } = state;
    try {
      await pause(SETTLED_MS);
      signal.throwIfAborted();
      if (isTouched) remember();
      const values = valuesAlong(house, name, learned.ranges[name]);
      const [many, explained] = await Promise.all([
        kit.api.send("POST", `/housing/bulk-predict?${queryOf(model)}`, { houses: values.map((/** @type {number} */ value) => ({ ...house, [name]: value })) }, { signal }),
        kit.api.send("POST", `/housing/predict?model=${model}&explain=true`, house, { signal }),
      ]);
      signal.throwIfAborted();
      curve.show({ label: labels[name], now: house[name], values, predictions: many.predictions });
      reasons.show(explained.explanation, found.prediction, labels);
    } catch (error) {
      if (!kit.api.isAborted(error)) failed(error);
    }
  }

  /** @param {{prediction: number, lower?: number, upper?: number}} found @param {number} seconds @param {Headers} headers */
  function showPrice({ prediction, lower, upper }, seconds, headers) {
    fill(trouble);
    const most = Math.max(6, upper ?? 0);
    const at = (/** @type {number} */ value) => `${(Math.max(0, value) / most) * 100}%`;
    const hasSpan = lower !== undefined && upper !== undefined;
    const span = h("div", { class: "housing-span", "aria-hidden": "true" }, hasSpan && h("span", { style: { left: at(lower), width: `calc(${at(upper)} - ${at(lower)})` } }), h("i", { style: { left: at(prediction) } }));
    const told = hasSpan ? `90% of such districts: ${kit.dollars(Math.max(0, lower))} to ${kit.dollars(upper)}` : "Support vectors tell no interval.";
    fill(price, h("div", { class: "housing-price" }, h("strong", null, kit.dollars(prediction)), h("span", { class: "muted" }, "median house, in dollars of 1990")), span, h("p", null, told));
    setText(meta, [`Answered in ${kit.format.duration(seconds)}`, headers.get("X-Cache") === "hit" ? "from the cache" : "computed now", `version ${headers.get("X-Model-Version")}`].join(" · "));
  }

  /** @param {any} error */
  function failed(error) {
    const { title, detail } = kit.api.readable(error);
    const wait = [0, 429, 503].includes(error.status) ? (error.retryAfterS ?? 3) : null;
    fill(trouble, kit.blocks.notice("bad", title, wait === null ? detail : `${detail} It is asked again in ${kit.format.duration(wait)}.`));
    // Where nobody looks, it is asked once somebody does.
    if (wait !== null && element.offsetParent) timer = setTimeout(ask, wait * 1000);
  }

  function remember() {
    history.replaceState(null, "", location.pathname + location.search + FRAGMENT + encodeURIComponent(JSON.stringify(state)));
  }

  async function copyLink() {
    remember();
    await kit.copyLink();
  }

  addEventListener("hashchange", () => {
    const other = fromAddress(names);
    if (!other) return;
    state = { ...state, ...other };
    change({});
  });

  const card = (/** @type {string} */ title, /** @type {any} */ side, /** @type {any[]} */ ...body) => h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, title), side), h("div", { class: "card-body stack" }, ...body));
  fill(
    element,
    h("div", { class: "ask housing" },
      h("div", { class: "stack" }, card("Where", h("span", { class: "hint" }, `${kit.format.integer(learned.rows.length)} of ${kit.format.integer(learned.districts)} districts`), picture.element, near)),
      h("div", { class: "stack" },
        card("Price", h("span", { class: "row" }, kind, link), trouble, price, meta),
        card("District", null, fields.element))),
    h("div", { class: "ask housing" }, card("Price along", along, curve.element), card("What moves it", null, reasons.element)),
  );
  show();
  ask();
  return { again: () => trouble.hasChildNodes() && ask() };
}

/** @param {string} kind of model */
function queryOf(kind) {
  return `model=${kind}&interval=${kind === "boosted"}`;
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {string} name @param {any} told of `GET /params` */
function figureOf(name, told) {
  const { label = name, description = "" } = told ?? {};
  const bounds = { Latitude: [-90, 90], Longitude: [-180, 180] }[name] ?? [0, null];
  return { name, label, unit: /\d to \d/.test(description) ? "" : description, minimum: bounds[0], maximum: bounds[1] };
}

/** The state in a link; null where it holds another thing. @param {string[]} names */
function fromAddress(names) {
  if (!location.hash.startsWith(FRAGMENT)) return null;
  try {
    const found = JSON.parse(decodeURIComponent(location.hash.slice(FRAGMENT.length)));
    const isWhole = names.every((name) => Number.isFinite(found.house[name]));
    if (!isWhole) return null;
    const house = Object.fromEntries(names.map((name) => [name, found.house[name]]));
    return { house, kind: found.kind === "svr" ? "svr" : "boosted", along: names.includes(found.along) ? found.along : names[0] };
  } catch {
    return null;
  }
}
