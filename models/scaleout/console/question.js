// @ts-check
/** The form of `what-if.js`: a question about a run, filled by what was recorded. */

/** @typedef {Record<string, any>} Context as `GET /scaleout/contexts` tells it */
/** @typedef {{body: Record<string, any>, price: number | null}} Asked `price` of an executor-hour */

/** Members of a context that go into a question as they are. */
const OF_CONTEXT = ["system", "algorithm", "arguments", "data_size_mb", "data_characteristics", "machine", "environment", "cores", "memory_mb"];
const RULES = ".ask-pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: var(--space-3); align-items: start; }";

/**
 * The question that a recorded context gives: as fast as it usually was.
 * @param {Context} context
 */
export function questionOf(context) {
  const known = Object.fromEntries(OF_CONTEXT.map((name) => [name, context[name]]).filter(([, value]) => !isNone(value)));
  const { target_s, median_s, min_scale_out, max_scale_out } = context;
  const wanted = target_s ?? (isNone(median_s) ? null : Number(median_s.toPrecision(2)));
  return { ...known, min_scale_out, max_scale_out, ...(wanted === null ? {} : { target_s: wanted }) };
}

/** Whether a question is about this context. @param {Record<string, any>} body @param {Context} context */
export function isOf(body, context) {
  const plain = (/** @type {any} */ value) => JSON.stringify(isNone(value) ? null : value);
  return OF_CONTEXT.every((name) => plain(body[name]) === plain(context[name]));
}

/** @param {any} value */
function isNone(value) {
  return value === undefined || value === null || value === "" || value.length === 0;
}

/** @param {Context} context @param {any} kit */
function nameOf({ data_size_mb, arguments: given, machine, runs }, kit) {
  const size = isNone(data_size_mb) ? "" : `${kit.format.number(data_size_mb)} MB`;
  return [size, kit.format.plural(runs, "run"), given.join(" "), machine].filter(Boolean).join(" · ");
}

/**
 * @param {Context[]} contexts @param {any} kit @param {{onChange: () => void, onSend: () => void, more?: string[]}} options
 *   `more` are algorithms of which nothing is recorded
 */
export function questionForm(contexts, kit, { onChange, onSend, more = [] }) {
  const { fill, h, setText } = kit.dom;
  kit.styles(RULES);
  const names = [...new Set([...contexts.map((one) => one.algorithm), ...more])].sort();
  const algorithm = h("select", { class: "input" }, ...names.map((name) => h("option", { value: name }, name)));
  const context = h("select", { class: "input" });
  const text = (/** @type {Record<string, any>} */ given = {}) => h("input", { class: "input", type: "text", autocomplete: "off", spellcheck: "false", ...given });
  const figure = (/** @type {string} */ placeholder = "") => text({ inputmode: "decimal", placeholder });
  /** By the member of the question. @type {Record<string, HTMLElement & Record<string, any>>} */
  const inputs = {
    algorithm,
    arguments: h("textarea", { class: "input", rows: 3, spellcheck: "false" }),
    system: h("select", { class: "input" }, h("option", { value: "spark" }, "Spark"), h("option", { value: "flink" }, "Flink")),
    data_size_mb: figure(), target_s: figure("none"), min_scale_out: figure("1"), max_scale_out: figure("16"),
    machine: text(), environment: text(), data_characteristics: text(), cores: figure(), memory_mb: figure(), confidence: figure("0.9"),
  };
  const price = figure("none");
  const summary = h("div", { class: "form-summary", role: "alert" });
  /** @type {Map<string, {control: HTMLElement, error: HTMLElement}>} */
  const fields = new Map();

  /** @param {string} name @param {string} label @param {string} [hint] @param {HTMLElement} [control] */
  function field(name, label, hint = "", control = inputs[name]) {
    const id = kit.dom.uniqueId("ask");
    const error = h("p", { class: "field-error", id: `${id}-error` });
    control.id = id;
    control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
    fields.set(name, { control, error });
    return h("div", { class: "field", dataset: { field: name } }, h("label", { for: id }, label), control, h("p", { class: "field-hint", id: `${id}-hint` }, hint), error);
  }

  const pair = (/** @type {HTMLElement[]} */ ...both) => h("div", { class: "ask-pair" }, ...both);
  const rest = [
    pair(field("cores", "Cores"), field("memory_mb", "Memory, MB")),
    field("machine", "Machine"),
    field("environment", "Environment"),
    field("data_characteristics", "Data characteristics"),
    pair(field("system", "System"), field("confidence", "Confidence", "Chance of being in time that is enough.")),
  ];
  const element = h(
    "form",
    { class: "form", novalidate: true, "aria-label": "Question" },
    summary,
    field("algorithm", "Algorithm"),
    field("context", "Input, as it was recorded", "", context),
    pair(field("data_size_mb", "Data size, MB"), field("target_s", "Target, seconds")),
    field("arguments", "Arguments", "One a line. Where they tell the size of the input too, change both."),
    pair(field("min_scale_out", "Fewest executors"), field("max_scale_out", "Most executors")),
    field("price", "Price of an executor-hour", "Tells the cost in money, in whatever currency.", price),
    h("details", { class: "more" }, h("summary", null, "Machines, and how sure"), h("div", { class: "form" }, ...rest)),
  );

  /** What the form asks; null where something is no number. @returns {Asked | null} */
  function values() {
    /** @type {Record<string, any>} */
    const body = {};
    /** @type {[string, string][]} */
    const wrong = [];
    const numeric = (/** @type {string} */ name, /** @type {string} */ given) => {
      if (!Number.isFinite(Number(given))) wrong.push([name, `“${given}” is no number.`]);
      return Number(given);
    };
    for (const [name, control] of Object.entries(inputs)) {
      const given = control.value.trim();
      if (given === "") continue;
      if (name === "arguments") body[name] = given.split("\n").map((/** @type {string} */ one) => one.trim()).filter(Boolean);
      else body[name] = control.inputMode === "decimal" ? numeric(name, given) : given;
    }
    const costs = price.value.trim() === "" ? null : numeric("price", price.value.trim());
    show(wrong);
    return wrong.length ? null : { body, price: costs };
  }

  /** Say what is wrong at its fields, and no more what was. @param {[string, string][]} wrong by field; others at the head */
  function show(wrong) {
    fields.forEach(({ control, error }) => {
      control.removeAttribute("aria-invalid");
      setText(error, "");
    });
    const others = wrong.filter(([name]) => !fields.has(name));
    fill(summary, ...others.map(([, message]) => h("p", { class: "field-error" }, message)));
    for (const [name, message] of wrong) {
      const found = fields.get(name);
      if (!found) continue;
      found.error.closest("details")?.setAttribute("open", "");
      found.control.setAttribute("aria-invalid", "true");
      setText(found.error, message);
    }
  }

  /** @param {Asked} given what is not named is emptied */
  function set({ body, price: costs }) {
    for (const [name, control] of Object.entries(inputs)) {
      const value = body[name];
      control.value = Array.isArray(value) ? value.join("\n") : String(value ?? (name === "system" ? "spark" : ""));
    }
    price.value = costs === null ? "" : String(costs);
    offer();
  }

  /** The inputs of the algorithm, and which of them stands in the fields. */
  function offer() {
    const body = values()?.body ?? {};
    const mine = contexts.filter((one) => one.algorithm === algorithm.value);
    const at = mine.findIndex((one) => isOf(body, one));
    const options = mine.map((one, index) => h("option", { value: String(contexts.indexOf(one)), selected: index === at }, nameOf(one, kit)));
    fill(context, ...options, at < 0 && h("option", { value: "", selected: true }, "As below"));
  }

  element.addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), onSend()));
  element.addEventListener("input", (/** @type {Event} */ event) => {
    const costs = values()?.price ?? null;
    const first = contexts.find((one) => one.algorithm === algorithm.value);
    if (event.target === algorithm && first) set({ body: questionOf(first), price: costs });
    else if (event.target === context && context.value) set({ body: questionOf(contexts[Number(context.value)]), price: costs });
    else if (event.target !== context) offer();
    onChange();
  });
  return { element, values, set, show };
}
