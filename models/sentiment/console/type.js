// @ts-check
/** Type and see: a text is told while it is written, and which of its words say so. */

const SETTLED_MS = 120;
/** Words are told later: each of them is a prediction of its own. */
const WORDS_MS = 350;
const MOST_KEPT = 8;
const EXAMPLES = [
  "A warm, funny film with a wonderful cast.",
  "Two hours of my life that I will never get back.",
  "The delivery took three weeks.",
  "This is not bad at all.",
];
const STYLES = `
.sentiment-type { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
.sentiment-type textarea { min-height: 9.5rem; font-size: var(--text-l); }
.sentiment-trouble:empty, .sentiment-type .hint:empty, .sentiment-type .stack > div:empty { display: none; }
.sentiment-type .row .button { font-weight: 450; text-align: left; white-space: normal; }
.sentiment-verdict { display: flex; align-items: baseline; gap: var(--space-3); min-height: 2.25rem; }
.sentiment-verdict strong { font-size: var(--text-2xl); font-weight: 640; letter-spacing: -0.02em; }
.sentiment-verdict .good { color: var(--good); }
.sentiment-verdict .bad { color: var(--bad); }
.sentiment-scale { position: relative; height: 0.75rem; border-radius: 999px; background: var(--surface-3); }
.sentiment-scale > span { position: absolute; inset-block: 0; border-radius: 999px; transition: left 160ms ease-out, right 160ms ease-out; }
.sentiment-scale::after { position: absolute; inset: -0.25rem auto -0.25rem 50%; width: 1px; background: var(--line-strong); content: ""; }
.sentiment-ends { display: flex; justify-content: space-between; color: var(--text-muted); font-size: var(--text-s); }
.sentiment-words { padding: var(--space-3) var(--space-4); border: 1px solid var(--line); border-radius: var(--radius-m); line-height: 1.9; overflow-wrap: anywhere; white-space: pre-wrap; }
.sentiment-words mark { padding: 0.1em 0; border-radius: 3px; background: none; color: inherit; }
.sentiment-kept { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-1); padding: 0; list-style: none; }
.sentiment-kept li { display: flex; align-items: center; gap: var(--space-3); }
.sentiment-kept button { flex: 1; min-width: 0; padding: 0.375rem 0; border: 0; background: none; overflow: hidden; text-align: left; text-overflow: ellipsis; white-space: nowrap; cursor: pointer; }
.sentiment-kept button:hover { text-decoration: underline; }
.sentiment-kept .badge { min-width: 6.25rem; }
@media (width < 60rem) { .sentiment-type { grid-template-columns: minmax(0, 1fr); } }
`;

/** @typedef {{positive: number, seconds: number, cache: string, version: string}} Told */
/** @typedef {{token: string, weight: number}} Weight */

/** @param {{model: any}} given @param {any} kit */
export function page({ model }, kit) {
  const { h, fill, icon, setText } = kit.dom;
  kit.styles(STYLES);
  const text = h("textarea", { class: "input", id: "sentiment-text", rows: 5, placeholder: "Write something in English…", "aria-describedby": "sentiment-hint", autocomplete: "off" });
  const verdict = h("div", { class: "sentiment-verdict", role: "status" });
  const scale = scaleOf(kit);
  const words = h("div");
  const meta = h("p", { class: "hint" });
  const trouble = h("div", { class: "sentiment-trouble", role: "alert" });
  const kept = h("div");
  /** @type {{text: string, positive: number}[]} */
  let history = [];
  /** @type {{text: string, told: Told} | null} */
  let shown = null;
  /** Kept as soon as it is told. */
  let wanted = "";
  /** @type {AbortController | null} */
  let asked = null;
  /** @type {number | undefined} */
  let timer;

  text.addEventListener("input", () => soon(SETTLED_MS));
  text.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    // Who writes fast is ahead of the answer.
    wanted = text.value;
    keep();
    text.select();
  });

  /** @param {number} afterMs */
  function soon(afterMs) {
    clearTimeout(timer);
    asked?.abort();
    if (!text.value.trim()) return nothing();
    timer = setTimeout(ask, afterMs);
  }

  function nothing() {
    shown = null;
    fill(verdict, h("span", { class: "muted" }, "What you write is told here, as you write it."));
    scale.show(null);
    fill(words);
    fill(trouble);
    setText(meta, "");
  }

  async function ask() {
    const value = text.value;
    const current = (asked = new AbortController());
    try {
      const from = performance.now();
      const response = await kit.api.send("POST", "/sentiment/predict", { text: [value] }, { signal: current.signal, as: "response" });
      const { predictions } = await response.json();
      const told = { positive: positiveOf(predictions[0]), seconds: (performance.now() - from) / 1000, cache: response.headers.get("X-Cache") ?? "", version: response.headers.get("X-Model-Version") ?? "" };
      if (current.signal.aborted) return;
      show(value, told);
      timer = setTimeout(() => explain(value, current.signal), WORDS_MS);
    } catch (error) {
      if (!kit.api.isAborted(error)) failed(error);
    }
  }

  /** @param {string} value @param {Told} told */
  function show(value, told) {
    const isPositive = told.positive >= 0.5;
    shown = { text: value, told };
    fill(trouble);
    fill(verdict, h("strong", { class: isPositive ? "good" : "bad" }, isPositive ? "Positive" : "Negative"), h("span", null, kit.format.percent(Math.max(told.positive, 1 - told.positive))), h("span", { class: "muted" }, sureness(told.positive)));
    scale.show(told.positive);
    setText(meta, [`Answered in ${kit.format.duration(told.seconds)}`, told.cache === "hit" ? "from the cache" : "computed now", `version ${told.version}`].join(" · "));
    if (wanted === value) keep();
  }

  /** @param {string} value @param {AbortSignal} signal */
  async function explain(value, signal) {
    try {
      const { explanations } = await kit.api.send("POST", "/sentiment/predict?explain=true", { text: [value] }, { signal });
      if (signal.aborted) return;
      fill(words, ...wordsView(value, explanations[0], kit));
    } catch (error) {
      if (kit.api.isAborted(error)) return;
      // Beyond so many words nobody is told of single ones; the text is told all the same.
      const detail = error instanceof kit.api.ApiError && error.status === 413 ? "Single words are told of texts of up to 200 words." : kit.api.readable(error).detail;
      fill(words, h("p", { class: "hint" }, detail));
    }
  }

  /** @param {any} error */
  function failed(error) {
    const { title, detail } = kit.api.readable(error);
    shown = null;
    fill(verdict, h("span", { class: "muted" }, "No answer."));
    scale.show(null);
    fill(words);
    setText(meta, "");
    const wait = [0, 429, 503].includes(error.status) ? (error.retryAfterS ?? 3) : null;
    const next = wait !== null ? ` It is asked again in ${kit.format.duration(wait)}.` : error.status === 413 ? " Shorten it, or send parts of it." : "";
    fill(trouble, kit.blocks.notice("bad", title, detail + next));
    if (wait !== null) timer = setTimeout(ask, wait * 1000);
  }

  function keep() {
    if (!shown || shown.text !== text.value) return;
    wanted = "";
    const entry = { text: shown.text.trim(), positive: shown.told.positive };
    history = [entry, ...history.filter((one) => one.text !== entry.text)].slice(0, MOST_KEPT);
    showHistory();
  }

  function showHistory() {
    if (!history.length) return fill(kept);
    const lines = history.map((one) =>
      h("li", null, kit.blocks.tag(`${one.positive >= 0.5 ? "Positive" : "Negative"} ${kit.format.percent(Math.max(one.positive, 1 - one.positive), 0)}`, one.positive >= 0.5 ? "good" : "bad"), h("button", { type: "button", title: one.text, onclick: () => use(one.text) }, one.text)),
    );
    const clear = h("button", { type: "button", class: "button small", onclick: () => ((history = []), showHistory()) }, "Clear");
    fill(kept, h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "History"), clear), h("div", { class: "card-body" }, h("ul", { class: "sentiment-kept", "aria-label": "History" }, ...lines))));
  }

  /** @param {string} value */
  function use(value) {
    keep();
    text.value = value;
    text.focus();
    soon(0);
  }

  nothing();
  const examples = h("div", { class: "row", role: "group", "aria-label": "Examples" }, h("span", { class: "hint" }, "Examples"), ...EXAMPLES.map((one) => h("button", { type: "button", class: "button small", onclick: () => use(one) }, one)));
  const input = h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, h("label", { for: "sentiment-text" }, "Text"))), h("div", { class: "card-body stack" }, text, h("p", { class: "hint", id: "sentiment-hint" }, "Enter keeps a text in the list below; Shift and Enter begin a new line."), examples));
  const output = h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Sentiment")), h("div", { class: "card-body stack" }, trouble, verdict, scale.element, words, meta));
  return {
    title: "Type and see",
    element: h("div", { class: "stack" }, h("div", { class: "ask sentiment-type" }, input, output), kept),
    onHide: () => (clearTimeout(timer), asked?.abort()),
  };
}

/** @param {{label: string, score: number}[]} scores */
export function positiveOf(scores) {
  return scores.find(({ label }) => label === "POSITIVE")?.score ?? 0;
}

/** @param {number} positive */
export function sureness(positive) {
  const share = Math.max(positive, 1 - positive);
  return share >= 0.9 ? "quite sure" : share >= 0.65 ? "rather sure" : "undecided";
}

/** From the middle towards the side that is likelier. @param {any} kit */
function scaleOf(kit) {
  const fillOf = kit.dom.h("span", { "aria-hidden": "true" });
  const meter = kit.dom.h("div", { class: "sentiment-scale", role: "meter", "aria-label": "Positive", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 50 }, fillOf);
  return {
    element: kit.dom.h("div", { class: "stack tight" }, meter, kit.dom.h("div", { class: "sentiment-ends", "aria-hidden": "true" }, kit.dom.h("span", null, "Negative"), kit.dom.h("span", null, "Positive"))),
    /** @param {number | null} positive */
    show(positive) {
      const at = positive ?? 0.5;
      meter.setAttribute("aria-valuenow", String(Math.round(at * 100)));
      meter.setAttribute("aria-valuetext", positive === null ? "not known yet" : `${kit.format.percent(at)} positive`);
      Object.assign(fillOf.style, { left: `${Math.min(at, 0.5) * 100}%`, right: `${(1 - Math.max(at, 0.5)) * 100}%`, background: at >= 0.5 ? "var(--good)" : "var(--bad)" });
    },
  };
}

/** The text with its words marked, and those that say most. @param {string} text @param {Weight[]} weights @param {any} kit */
function wordsView(text, weights, kit) {
  const { h } = kit.dom;
  const most = Math.max(1, ...weights.map(({ weight }) => Math.abs(weight)));
  const marked = (/** @type {string} */ part, /** @type {number} */ weight) => {
    const share = Math.round((Math.abs(weight) / most) * 45);
    return h("mark", { title: signed(weight), style: { background: share < 4 ? "none" : `color-mix(in srgb, var(--${weight > 0 ? "good" : "bad"}) ${share}%, transparent)` } }, part);
  };
  const parts = partsOf(text, weights) ?? weights.flatMap(({ token, weight }) => [{ text: token, weight }, { text: " ", weight: null }]);
  const strongest = [...weights].filter(({ token }) => /[\p{L}\p{N}]/u.test(token)).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, 4);
  return [
    h("div", { class: "stack tight" },
      h("div", { class: "sentiment-words" }, ...parts.map((/** @type {any} */ one) => (one.weight === null ? one.text : marked(one.text, one.weight)))),
      strongest.length > 0 && h("p", { class: "hint" }, `Most telling: ${strongest.map(({ token, weight }) => `${token} ${signed(weight)}`).join(", ")} (log odds of positive with the word, less those without).`)),
  ];
}

/** @param {number} weight */
function signed(weight) {
  return `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`;
}

/**
 * The words as the model reads them (small, without accents) found again in the text as it was written. Pure.
 * @param {string} text @param {Weight[]} weights
 * @returns {{text: string, weight: number | null}[] | null} null where the model spells it otherwise
 */
export function partsOf(text, weights) {
  let plain = "";
  /** Of each character of `plain` and of its end: where it stands in the text. @type {number[]} */
  const places = [];
  let at = 0;
  for (const char of text) {
    const small = char.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    for (let index = 0; index < small.length; index += 1) places.push(at);
    plain += small;
    at += char.length;
  }
  places.push(text.length);
  const parts = [];
  let from = 0;
  for (const { token, weight } of weights) {
    while (from < plain.length && /\s/.test(plain[from])) from += 1;
    const isThere = plain.startsWith(token, from);
    // Signs are read as plain ones: another dash, another quote.
    if (!isThere && (/[\p{L}\p{N}]/u.test(token) || from >= plain.length)) return null;
    const end = from + (isThere ? token.length : String.fromCodePoint(/** @type {number} */ (plain.codePointAt(from))).length);
    const before = parts.length ? parts[parts.length - 1].end : 0;
    if (places[from] > before) parts.push({ text: text.slice(before, places[from]), weight: null, end: places[from] });
    parts.push({ text: text.slice(places[from], places[end]), weight, end: places[end] });
    from = end;
  }
  const last = parts.length ? parts[parts.length - 1].end : 0;
  if (last < text.length) parts.push({ text: text.slice(last), weight: null, end: text.length });
  return parts.map(({ text: part, weight }) => ({ text: part, weight }));
}
