// @ts-check
/** Asking a hosted model; and two versions of it the same, side by side. */

/** Requests to each version for its latency, after the first one, which may have to open it. */
const TIMED = 5;
const MOST_ROWS = 200;
/** Who names no version gets what the aliases' shares say. */
const AS_SERVED = "";
const NOTHING = "-";

/** @typedef {{version: number, outputs: Record<string, any>, answer: any, seconds: number[], asked: {url: string, body: any, image: File | null}}} Answered */

/**
 * @param {any} kit @param {any} pure `values.js` @param {any} made of `inputs.js`
 * @param {string} tag
 */
export function askView(kit, pure, made, tag) {
  const { h, fill, icon, setText, uniqueId } = kit.dom;
  const { bytes, duration, number, ago, dateTime, plural, NONE } = kit.format;
  /** @type {any} */
  let entry = null;
  /** By number or alias, as the API tells it. @type {Map<string, Promise<any>>} */
  const known = new Map();
  /** @type {AbortController | null} */
  let running = null;

  const inputs = made.inputsView(kit, pure, { onRun: run });
  const [which, other] = [h("select", { class: "input", id: uniqueId("version") }), h("select", { class: "input", id: uniqueId("other") })];
  const takes = h("p", { class: "hint" });
  const go = h("button", { type: "submit", class: "button primary", title: "Ctrl and Enter" }, icon("play"), h("span", null, "Ask"));
  const stop = h("button", { type: "button", class: "button", hidden: true, onclick: () => running?.abort() }, icon("stop"), "Stop");
  const compared = h("div", { class: "stack tight" });
  const answer = h("div", { class: "answer", role: "region", "aria-label": "Answer", "aria-live": "polite" }, kit.blocks.emptyState("No answer yet", "Ctrl and Enter ask, too."));
  const form = h(
    "form",
    { class: "form", novalidate: true },
    h("div", { class: "hosted-pair" }, field("Version", which), field("Compare with", other)),
    takes,
    inputs.element,
    h("div", { class: "form-actions" }, go, stop),
  );
  form.addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), run()));
  which.addEventListener("change", () => choose());
  other.addEventListener("change", () => choose());
  const element = h("div", { class: "ask" }, card("Inputs", form), h("div", { class: "stack" }, compared, card("Answer", answer)));

  /** @param {string} label @param {any} control */
  function field(label, control) {
    return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
  }

  /** @param {string} title @param {any} body */
  function card(title, body) {
    return h("section", { class: "card" }, h("div", { class: "card-head" }, h("h3", null, title)), h("div", { class: "card-body" }, body));
  }

  /** What there is to choose from now. @param {any} next of the registry */
  function update(next) {
    entry = next;
    const aliases = Object.entries(entry.aliases).map(([alias, version]) => [alias, `${alias} (v${version})`]);
    const numbers = entry.versions.map((/** @type {any} */ one) => [String(one.number), `v${one.number}`]);
    const serves = entry.aliases.default === undefined ? [] : [[AS_SERVED, entry.traffic ? "As requests get it, by their shares" : `As requests get it (v${entry.aliases.default})`]];
    options(which, [...serves, ...aliases, ...numbers]);
    options(other, [[NOTHING, "Nothing"], ...aliases, ...numbers]);
    choose();
  }

  /** @param {any} select @param {string[][]} all */
  function options(select, all) {
    const before = select.value;
    fill(select, ...all.map(([value, label]) => h("option", { value }, label)));
    select.value = all.some(([value]) => value === before) ? before : all[0]?.[0] ?? "";
  }

  /** @param {string} name */
  function numberOf(name) {
    return Number(entry.aliases[name || "default"] ?? name);
  }

  /** @param {number} version @returns {Promise<any>} */
  function informationOf(version) {
    const ref = `${tag}:${version}`;
    if (!known.has(ref)) {
      const asked = kit.api.get(`/hosted/models/${ref}/information`);
      asked.catch(() => known.delete(ref));
      known.set(ref, asked);
    }
    return /** @type {Promise<any>} */ (known.get(ref));
  }

  async function choose() {
    const names = [which.value, other.value].filter((name) => name !== NOTHING);
    const numbers = names.map(numberOf);
    setText(go.lastElementChild, numbers.length > 1 ? "Ask both" : "Ask");
    try {
      const found = await Promise.all(numbers.map(informationOf));
      if (names[0] !== which.value || (names[1] ?? NOTHING) !== other.value) return;
      const [first, second] = found;
      setText(takes, `${first.inputs.map(pure.tensorText).join(", ")} → ${first.outputs.map(pure.tensorText).join(", ")}`);
      inputs.setInputs(first.inputs);
      fill(compared, second && besides(first, second));
    } catch (error) {
      fill(compared, kit.blocks.errorState(error, choose));
    }
  }

  /** What is known of two versions. @param {any} first @param {any} second */
  function besides(first, second) {
    const measured = [...new Set([...Object.keys(first.metrics), ...Object.keys(second.metrics)])].filter((name) => [first, second].every(({ metrics }) => metrics[name] === undefined || typeof metrics[name] === "number"));
    // What reads the same is no change.
    const change = (/** @type {any} */ a, /** @type {any} */ b, /** @type {(value: number) => string} */ text) => (typeof a === "number" && typeof b === "number" && text(a) !== text(b) ? `${b > a ? "+" : "−"}${text(Math.abs(b - a))}` : "");
    const tensors = (/** @type {any[]} */ all) => all.map(pure.tensorText).join(", ");
    /** @type {[string, any, any, string][]} */
    const rows = [
      ...measured.map((name) => /** @type {[string, any, any, string]} */ ([name, number(first.metrics[name]), number(second.metrics[name]), change(first.metrics[name], second.metrics[name], number)])),
      ["A row took", duration(first.run_s), duration(second.run_s), change(first.run_s, second.run_s, duration)],
      ["Memory", bytes(first.memory_bytes), bytes(second.memory_bytes), change(first.memory_bytes, second.memory_bytes, bytes)],
      ["File", bytes(first.size_bytes), bytes(second.size_bytes), change(first.size_bytes, second.size_bytes, bytes)],
      ["Made with", madeWith(first), madeWith(second), ""],
      ["Published", h("span", { title: dateTime(first.created_at) }, ago(first.created_at)), h("span", { title: dateTime(second.created_at) }, ago(second.created_at)), ""],
    ];
    if (tensors(first.outputs) !== tensors(second.outputs)) rows.push(["Answers", tensors(first.outputs), tensors(second.outputs), "differs"]);
    const isOther = tensors(first.inputs) !== tensors(second.inputs);
    return h(
      "section",
      { class: "card" },
      h("div", { class: "card-head" }, h("h3", null, `v${first.version} and v${second.version}`)),
      isOther && h("div", { class: "card-body" }, kit.blocks.notice("warn", "They do not take the same", `v${first.version} takes ${tensors(first.inputs)}, v${second.version} ${tensors(second.inputs)}.`)),
      grid("What is known of both versions", ["", named(first), named(second), "Change"], rows),
    );
  }

  /** @param {any} one */
  function madeWith(one) {
    return [one.library ?? one.format, one.library_version].filter(Boolean).join(" ");
  }

  /** @param {any} one */
  function named(one) {
    return `v${one.version}${one.aliases.length ? ` (${one.aliases.join(", ")})` : ""}`;
  }

  /** @param {string} caption @param {any[]} heads @param {any[][]} rows the first cell of each names it */
  function grid(caption, heads, rows) {
    const cells = (/** @type {any[]} */ row) => row.map((cell, at) => (at ? h("td", { class: "num" }, cell || NONE) : h("th", { scope: "row" }, cell)));
    const head = h("tr", null, ...heads.map((text, at) => h("th", { scope: "col", class: at ? "num" : null }, text || h("span", { class: "sr-only" }, "What"))));
    return h("div", { class: "table-wrap hosted-scroll", tabindex: 0, role: "region", "aria-label": caption }, h("table", { class: "table" }, h("caption", { class: "sr-only" }, caption), h("thead", null, head), h("tbody", null, ...rows.map((row) => h("tr", null, ...cells(row))))));
  }

  async function run() {
    if (running) return;
    const given = inputs.given();
    if (!given) return;
    const names = [which.value, other.value].filter((name) => name !== NOTHING);
    const current = new AbortController();
    running = current;
    [go.disabled, stop.hidden] = [true, false];
    answer.setAttribute("aria-busy", "true");
    fill(answer, kit.blocks.skeleton(4));
    try {
      const found = [];
      for (const name of names) found.push(await ask(name, given, current.signal));
      const informations = await Promise.all(found.map(({ version }) => informationOf(version)));
      if (found.length === 1) return void fill(answer, single(found[0], informations[0]));
      fill(answer, both(found, informations));
      // In turn, so that what the machine does meanwhile is of both alike.
      for (let round = 0; round < TIMED; round += 1) for (const [at, name] of names.entries()) found[at].seconds.push(...(await ask(name, given, current.signal)).seconds);
      fill(answer, both(found, informations));
    } catch (error) {
      failed(error);
    } finally {
      running = null;
      [go.disabled, stop.hidden] = [false, true];
      answer.setAttribute("aria-busy", "false");
    }
  }

  /** @param {any} error */
  function failed(error) {
    if (kit.api.isAborted(error)) return void fill(answer, kit.blocks.emptyState("Stopped"));
    if (error instanceof kit.api.ApiError && error.status === 422) {
      inputs.refuse(error.errors.map((/** @type {any} */ one) => one.message).join("; ") || error.detail);
      return void fill(answer, kit.blocks.emptyState("The inputs are not accepted", "Why stands below them."));
    }
    fill(answer, kit.blocks.errorState(error, run));
  }

  /** @param {string} name @param {import("./inputs.js").Given} given @param {AbortSignal} signal @returns {Promise<Answered>} */
  async function ask(name, given, signal) {
    const path = `/hosted/models/${tag}${name ? `:${name}` : ""}/predict${given.query}`;
    const body = given.image ?? { values: given.values };
    const from = performance.now();
    const headers = given.image ? { "Content-Type": given.image.type } : {};
    const response = await kit.api.send("POST", path, body, { headers, signal, as: "response" });
    const text = await response.text();
    const seconds = [(performance.now() - from) / 1000];
    const told = JSON.parse(text);
    return { version: told.version, outputs: told.outputs, answer: told, seconds, asked: { url: location.origin + path, body, image: given.image ?? null } };
  }

  /** @param {Answered} found @param {any} information */
  function single(found, information) {
    const rows = pure.answerRows(found.outputs, information.labels);
    const view = kit.tabs(
      [
        { id: "rows", title: "Rows", panel: rowsView("Answer by row", rows.map((/** @type {any[]} */ cells) => cells.map((one) => [one.label, one.value]))) },
        { id: "json", title: "JSON", panel: kit.blocks.code(JSON.stringify(found.answer, null, 2), { label: "Answer as JSON" }) },
        ...snippets(found.asked),
      ],
      { label: "Answer as", parameter: "" },
    );
    return h("div", { class: "stack" }, h("p", { class: "hint" }, `Version ${found.version} answered in ${duration(found.seconds[0])}`), view);
  }

  /** @param {Answered["asked"]} asked */
  function snippets({ url, body, image }) {
    const curl = image ? `curl '${url}' \\\n  -H 'Content-Type: ${image.type}' \\\n  --data-binary @'${image.name.replaceAll("'", `'\\''`)}'` : kit.curlOf({ url, body });
    const python = image ? `from pathlib import Path\n\nimport httpx\n\nanswer = httpx.post(${JSON.stringify(url)}, content=Path(${JSON.stringify(image.name)}).read_bytes(), headers={"Content-Type": "${image.type}"})\nanswer.raise_for_status()\nprint(answer.json())` : kit.pythonOf({ url, body });
    return [
      { id: "curl", title: "curl", panel: kit.blocks.code(curl, { wraps: true, label: "Request for curl" }) },
      { id: "python", title: "Python", panel: kit.blocks.code(python, { wraps: true, label: "Request in Python" }) },
    ];
  }

  /** @param {Answered[]} found @param {any[]} informations */
  function both(found, informations) {
    const [first, second] = found;
    const [left, right] = found.map((one, at) => pure.answerRows(one.outputs, informations[at].labels));
    const same = left.filter((/** @type {any} */ cells, /** @type {number} */ at) => pure.areSame(cells, right[at] ?? [])).length;
    const all = Math.max(left.length, right.length);
    const told = same === all ? kit.blocks.notice("good", "Both answer the same", `${plural(all, "row")}, numbers to five digits.`) : kit.blocks.notice("warn", `${all - same} of ${plural(all, "row")} ${all - same === 1 ? "is" : "are"} answered differently`);
    const later = found.map(({ seconds }) => seconds.slice(1));
    const isTimed = later.every(({ length }) => length === TIMED);
    const speed = grid("Latency", ["", `v${first.version}`, `v${second.version}`], [
      ["First request", ...found.map(({ seconds }) => duration(seconds[0]))],
      [`Median of ${TIMED} more`, ...later.map((seconds) => (isTimed ? duration(pure.median(seconds)) : "…"))],
    ]);
    const rows = Array.from({ length: all }, (_, at) => {
      const labels = [...new Set([...(left[at] ?? []), ...(right[at] ?? [])].map(({ label }) => label))];
      const of = (/** @type {any[] | undefined} */ cells, /** @type {string} */ label) => cells?.find((/** @type {any} */ one) => one.label === label)?.value;
      const pairs = labels.flatMap((label) => [[`${label} v${first.version}`, of(left[at], label)], [`${label} v${second.version}`, of(right[at], label)]]);
      const sameness = pure.areSame(left[at] ?? [], right[at] ?? []) ? "" : "differs";
      return /** @type {[string, any][]} */ ([["", sameness], ...pairs]);
    });
    return h("div", { class: "stack" }, told, rowsView("Both answers by row", rows), speed, h("p", { class: "hint" }, "Latency as this page sees it, with the way to the server and back. The first request may have opened the version."));
  }

  /** @param {string} caption @param {[string, any][][]} rows */
  function rowsView(caption, rows) {
    if (!rows.length) return kit.blocks.emptyState("An empty answer");
    const labels = rows[0].map(([label]) => label);
    const shown = rows.slice(0, MOST_ROWS).map((cells, at) => [String(at + 1), ...cells.map(([label, value]) => (label ? valueText(value) : value ? kit.blocks.tag(value, "warn") : h("span", { class: "muted" }, "same")))]);
    const more = rows.length > MOST_ROWS && h("p", { class: "hint" }, `The first ${MOST_ROWS} of ${plural(rows.length, "row")}; JSON has all.`);
    return h("div", { class: "stack tight" }, grid(caption, ["Row", ...labels.map((label) => label || h("span", { class: "sr-only" }, "Same"))], shown), more);
  }

  /** @param {any} value */
  function valueText(value) {
    if (value === null || value === undefined) return NONE;
    if (typeof value === "number") return Number.isInteger(value) ? String(value) : number(value, 5);
    return typeof value === "object" ? h("code", { class: "cell-json" }, JSON.stringify(value)) : String(value);
  }

  return {
    element,
    update,
    /** @param {string} first @param {string} second names of versions */
    compare(first, second) {
      [which.value, other.value] = [first, second];
      choose();
    },
  };
}
