// @ts-check
/** What was told of many texts: counts, how the scores lie, a table with filters, and all of it as a file. */

const SHOWN = 200;
const BINS = 20;
/** Below it a text is called undecided. */
const SURE = 0.65;
const STYLES = `
.sentiment-filters .button[aria-pressed="true"] { border-color: var(--accent); background: var(--accent-soft); color: var(--accent-strong); }
.sentiment-filters .count { color: var(--text-muted); font-weight: 400; }
.sentiment-bins { display: flex; align-items: end; gap: 2px; height: 5.5rem; border-bottom: 1px solid var(--line-strong); }
.sentiment-bins > span { flex: 1; border-radius: 2px 2px 0 0; }
.sentiment-axis { display: flex; justify-content: space-between; color: var(--text-muted); font-size: var(--text-s); }
.sentiment-text { max-width: 52rem; max-height: 4.6em; overflow: auto; overflow-wrap: anywhere; }
.sentiment-table { min-width: 0; border: 1px solid var(--line); border-radius: var(--radius-m); }
.sentiment-table .table { min-width: 30rem; }
.sentiment-table .table :is(th, td):not(:last-child) { width: 1%; }
`;

/** @typedef {{at: number, text: string, positive: number | null, problem: string}} Row `at` counts from 0 */
/** @typedef {{name: string, columns: string[], rows: string[][], told: Row[]}} Whole */

/** @type {Record<string, {title: string, hint: string, fits: (row: Row) => boolean}>} */
const FILTERS = {
  all: { title: "All", hint: "", fits: ({ positive, problem }) => positive !== null || problem !== "" },
  positive: { title: "Positive", hint: "", fits: ({ positive }) => positive !== null && positive >= 0.5 },
  negative: { title: "Negative", hint: "", fits: ({ positive }) => positive !== null && positive < 0.5 },
  undecided: { title: "Undecided", hint: "Positive or negative by less than 65%", fits: ({ positive }) => positive !== null && Math.max(positive, 1 - positive) < SURE },
  problems: { title: "Problems", hint: "Nothing was told: refused, or empty", fits: ({ problem }) => problem !== "" },
};
/** @type {Record<string, {title: string, by: ((row: Row) => number) | null}>} */
const ORDERS = {
  file: { title: "As in the file", by: null },
  positive: { title: "Most positive first", by: ({ positive }) => -(positive ?? -1) },
  negative: { title: "Most negative first", by: ({ positive }) => positive ?? 2 },
  unsure: { title: "Least sure first", by: ({ positive }) => (positive === null ? 2 : Math.abs(positive - 0.5)) },
};

/** @param {any} kit */
export function resultsOf(kit) {
  const { h, fill, icon, setText } = kit.dom;
  kit.styles(STYLES);
  /** @type {Whole} */
  let whole = { name: "", columns: [], rows: [], told: [] };
  let filter = "all";
  /** @type {Record<string, {element: HTMLElement, count: HTMLElement}>} */
  const buttons = Object.fromEntries(
    Object.entries(FILTERS).map(([name, { title, hint }]) => {
      const count = h("span", { class: "count" });
      const element = h("button", { type: "button", class: "button small", title: hint, "aria-pressed": String(name === filter), onclick: () => pick(name) }, title, " ", count);
      return [name, { element, count }];
    }),
  );
  const search = h("input", { class: "input", type: "search", id: "sentiment-search", autocomplete: "off" });
  const order = h("select", { class: "input", id: "sentiment-order" }, ...Object.entries(ORDERS).map(([name, { title }]) => h("option", { value: name }, title)));
  const bins = h("div", { class: "sentiment-bins", role: "img" });
  const note = h("p", { class: "hint", role: "status" });
  const save = h("button", { type: "button", class: "button small", onclick: () => kit.download(`${whole.name.replace(/\.\w+$/, "")}-sentiment.csv`, kit.csvOf(sheetOf(whole))) }, icon("download"), "CSV");
  const table = kit.table(
    [
      { title: "Row", isNumber: true, cell: ({ at }) => String(at + 1) },
      { title: "Answer", cell: (/** @type {Row} */ row) => badgeOf(row, kit) },
      { title: "Score", isNumber: true, hint: "Of the class that is told", cell: ({ positive }) => (positive === null ? kit.format.NONE : kit.format.percent(Math.max(positive, 1 - positive))) },
      { title: "Text", isHead: true, cell: ({ text }) => h("div", { class: "sentiment-text" }, text) },
    ],
    { key: (/** @type {Row} */ row) => String(row.at), caption: "Texts and what was told of them", empty: () => kit.blocks.emptyState("No text fits"), version: (/** @type {Row} */ row) => `${row.text} ${row.positive} ${row.problem}` },
  );
  search.addEventListener("input", show);
  order.addEventListener("change", show);

  /** @param {string} name */
  function pick(name) {
    filter = name;
    for (const [other, { element }] of Object.entries(buttons)) element.setAttribute("aria-pressed", String(other === name));
    show();
  }

  function show() {
    for (const [name, { count }] of Object.entries(buttons)) setText(count, kit.format.integer(whole.told.filter(FILTERS[name].fits).length));
    fill(bins, ...binsOf(whole.told).map((many, at, all) => bar(many, at, Math.max(1, ...all))));
    bins.setAttribute("aria-label", `How the scores lie: ${kit.format.plural(whole.told.filter(FILTERS.negative.fits).length, "text")} below 50% positive, ${kit.format.integer(whole.told.filter(FILTERS.positive.fits).length)} above`);
    const sought = search.value.trim().toLowerCase();
    const fitting = whole.told.filter((row) => FILTERS[filter].fits(row) && (!sought || row.text.toLowerCase().includes(sought)));
    const { by } = ORDERS[order.value];
    if (by) fitting.sort((first, second) => by(first) - by(second));
    table.update(fitting.slice(0, SHOWN));
    setText(note, fitting.length > SHOWN ? `The first ${SHOWN} of ${kit.format.plural(fitting.length, "text")}; the file has all.` : kit.format.plural(fitting.length, "text"));
  }

  /** @param {number} many @param {number} at @param {number} most */
  function bar(many, at, most) {
    const title = `${Math.round((at / BINS) * 100)} to ${Math.round(((at + 1) / BINS) * 100)}% positive: ${kit.format.plural(many, "text")}`;
    // What is there at all is seen.
    return h("span", { title, style: { height: many ? `max(3px, ${(many / most) * 100}%)` : "0", background: at < BINS / 2 ? "var(--bad)" : "var(--good)" } });
  }

  const element = h(
    "section",
    { class: "card", hidden: true },
    h("div", { class: "card-head" }, h("h2", null, "Answers"), save),
    h("div", { class: "card-body stack" },
      h("div", null, bins, h("div", { class: "sentiment-axis", "aria-hidden": "true" }, h("span", null, "Negative"), h("span", null, "Positive"))),
      h("div", { class: "row sentiment-filters", role: "group", "aria-label": "Show" }, ...Object.values(buttons).map((one) => one.element)),
      h("div", { class: "filters" }, h("div", { class: "field" }, h("label", { for: "sentiment-search" }, "Search"), search), h("div", { class: "field" }, h("label", { for: "sentiment-order" }, "Order"), order)),
      h("div", { class: "sentiment-table" }, table.element),
      note),
  );
  return {
    element,
    /** @param {Whole} given */
    update(given) {
      whole = given;
      element.hidden = !whole.told.some(FILTERS.all.fits);
      if (!element.hidden) show();
    },
  };
}

/** @param {Row} row @param {any} kit */
function badgeOf({ positive, problem }, kit) {
  if (positive === null) return kit.dom.h("span", { class: "field-error" }, problem);
  return positive >= 0.5 ? kit.blocks.tag("Positive", "good") : kit.blocks.tag("Negative", "bad");
}

/** How many scores lie in each part of the way from negative to positive. Pure. @param {Row[]} told */
export function binsOf(told) {
  const counts = Array.from({ length: BINS }, () => 0);
  for (const { positive } of told) {
    if (positive !== null) counts[Math.min(BINS - 1, Math.floor(positive * BINS))] += 1;
  }
  return counts;
}

/** The file as it was, and what was told of each row. Pure. @param {Whole} whole */
export function sheetOf({ columns, rows, told }) {
  const label = (/** @type {Row} */ { positive }) => (positive === null ? "" : positive >= 0.5 ? "POSITIVE" : "NEGATIVE");
  return {
    title: "",
    columns: [...columns, "sentiment", "sentiment_score", "sentiment_problem"],
    rows: rows.map((row, at) => [...columns.map((_, index) => row[index] ?? ""), label(told[at]), told[at].positive === null ? "" : Number(Math.max(told[at].positive, 1 - told[at].positive).toFixed(4)), told[at].problem]),
  };
}
