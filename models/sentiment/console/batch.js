// @ts-check
/** Many texts: the rows of a file, told in requests that the API takes. */

const DRAWN_MS = 250;
const EXAMPLE = `review,stars
"A warm, funny film with a wonderful cast.",5
Two hours of my life that I will never get back.,1
The plot is thin but the pictures are beautiful.,3
I can't recommend it enough.,5
"Dull, loud and far too long.",1
It arrived on a Tuesday.,3
The best thing I have seen this year.,5
A mess from start to finish.,1
`;
const STYLES = `
.sentiment-preview { display: grid; gap: var(--space-1); margin: 0; padding-left: 1.25rem; color: var(--text-muted); overflow-wrap: anywhere; }
.sentiment-trouble:empty, .sentiment-chosen:empty { display: none; }
.sentiment-drop .row { justify-content: center; }
`;

/** @param {{model: any}} given @param {any} kit */
export async function page(given, kit) {
  const { h, fill, icon, setText } = kit.dom;
  const [{ read, tableOf, Unreadable }, { classify }, { resultsOf }] = await Promise.all([kit.part("reading.js"), kit.part("sending.js"), kit.part("results.js")]);
  kit.styles(STYLES);
  /** The file. @type {any} */
  let found = null;
  /** Its columns and rows. @type {any} */
  let sheet = null;
  /** @type {{at: number, text: string, positive: number | null, problem: string}[]} */
  let told = [];
  /** @type {AbortController | null} */
  let running = null;
  let drawnMs = 0;
  let due = 0;

  const results = resultsOf(kit);
  const trouble = h("div", { class: "sentiment-trouble", role: "alert" });
  const chosen = h("div", { class: "sentiment-chosen" });
  const bar = kit.blocks.progress(0, "Texts that are classified");
  const state = h("p", { class: "hint", role: "status" });
  const advance = h("div", { class: "stack tight", hidden: true }, bar, state);
  const start = h("button", { type: "button", class: "button primary", onclick: () => run() }, icon("play"), h("span"));
  const stop = h("button", { type: "button", class: "button", hidden: true, onclick: () => running?.abort() }, icon("stop"), "Stop");
  const input = h("input", { type: "file", hidden: true, accept: ".csv,.tsv,.txt,text/csv,text/plain", "aria-label": "File with texts" });
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = "";
  });
  const choose = h("button", { type: "button", class: "button", onclick: () => input.click() }, icon("upload"), "Choose a file");
  const example = h("button", { type: "button", class: "button ghost", onclick: () => take(new File([EXAMPLE], "example.csv")) }, "Take an example");
  const drop = h("div", { class: "drop sentiment-drop" }, h("p", null, "Drop a file here: CSV with a column of texts, or a text a line."), h("div", { class: "row" }, choose, example), input);
  for (const event of ["dragenter", "dragover"]) drop.addEventListener(event, (/** @type {DragEvent} */ one) => (one.preventDefault(), drop.classList.add("is-over")));
  drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (/** @type {DragEvent} */ one) => {
    one.preventDefault();
    drop.classList.remove("is-over");
    const file = one.dataTransfer?.files[0];
    if (file) take(file);
  });

  /** @param {File} file */
  async function take(file) {
    running?.abort();
    try {
      found = await read(file, kit);
    } catch (error) {
      const said = error instanceof Unreadable ? /** @type {Error} */ (error).message : "It could not be read. Choose it again.";
      return fill(trouble, kit.blocks.notice("bad", `${file.name} is not taken`, said));
    }
    fill(trouble, found.told && kit.blocks.notice("warn", "Not in UTF-8", found.told));
    describe(found.isHeader);
  }

  /** @param {boolean} isHeader */
  function describe(isHeader) {
    sheet = tableOf(found.lines, isHeader);
    const column = h("select", { class: "input", id: "sentiment-column" }, ...sheet.columns.map((/** @type {string} */ name, /** @type {number} */ at) => h("option", { value: String(at) }, name)));
    column.value = String(sheet.column);
    const preview = h("ol", { class: "sentiment-preview", "aria-label": "First texts" });
    column.addEventListener("change", () => ((sheet.column = Number(column.value)), fresh(preview)));
    const header = h("input", { type: "checkbox" });
    header.checked = isHeader;
    header.addEventListener("change", () => (describe(header.checked), chosen.querySelector("input")?.focus()));
    fill(
      chosen,
      h("div", { class: "stack" },
        h("p", null, h("strong", null, found.name), ` · ${kit.format.plural(sheet.rows.length, "row")}${sheet.isCut ? ", those that one file may have; the rest is left out" : ""}`),
        found.isTable && h("div", { class: "filters" }, h("div", { class: "field" }, h("label", { for: "sentiment-column" }, "Column with the texts"), column), h("label", { class: "check" }, header, h("span", null, "The first row names the columns"))),
        preview,
        h("div", { class: "form-actions" }, start, stop),
        advance),
    );
    fresh(preview);
  }

  /** Nothing is told yet of this column. @param {HTMLElement} preview */
  function fresh(preview) {
    running?.abort();
    clearTimeout(due);
    told = sheet.rows.map((/** @type {string[]} */ row, /** @type {number} */ at) => {
      const text = row[sheet.column] ?? "";
      return { at, text, positive: null, problem: text.trim() ? "" : "no text" };
    });
    fill(preview, ...told.slice(0, 3).map(({ text }) => h("li", null, text.length > 160 ? `${text.slice(0, 160)}…` : text || "(no text)")));
    advance.hidden = true;
    results.element.hidden = true;
    busy(false);
  }

  const left = () => told.filter(({ positive, problem }) => positive === null && !problem).length;

  /** @param {boolean} isBusy */
  function busy(isBusy) {
    const many = told.filter(({ text }) => text.trim()).length;
    const rest = left();
    start.disabled = isBusy || rest === 0;
    stop.hidden = !isBusy;
    setText(/** @type {Element} */ (start.lastElementChild), rest === many ? `Classify ${kit.format.plural(many, "text")}` : rest ? `Go on with ${kit.format.plural(rest, "text")}` : "All are classified");
  }

  async function run() {
    const current = (running = new AbortController());
    const rows = told;
    const beganMs = performance.now();
    const atFirst = left();
    advance.hidden = false;
    fill(trouble);
    busy(true);
    draw(true);
    try {
      await classify(rows.map(({ text }) => text), {
        ask: (/** @type {string[]} */ texts) => ask(texts, current.signal),
        refusalOf,
        isKnown: (/** @type {number} */ at) => rows[at].positive !== null || rows[at].problem !== "",
        onOutcomes(/** @type {Map<number, any>} */ outcomes) {
          for (const [at, outcome] of outcomes) Object.assign(rows[at], outcome);
          if (rows === told) draw(false, atFirst, beganMs);
        },
        pause: (/** @type {number} */ seconds, /** @type {string} */ why) => pause(seconds, why, current.signal),
      });
    } catch (error) {
      if (!kit.api.isAborted(error)) {
        const { title, detail } = kit.api.readable(error);
        fill(trouble, kit.blocks.notice("bad", title, `${detail} What was told until then stays.`));
      }
    }
    // Another file, or another column, may have been chosen meanwhile.
    if (running !== current) return;
    running = null;
    draw(true, atFirst, beganMs);
    busy(false);
  }

  /** @param {string[]} texts @param {AbortSignal} signal */
  async function ask(texts, signal) {
    const { predictions } = await kit.api.send("POST", "/sentiment/predict", { text: texts }, { signal });
    return predictions.map((/** @type {{label: string, score: number}[]} */ scores) => scores.find(({ label }) => label === "POSITIVE")?.score ?? 0);
  }

  /** @param {any} error */
  function refusalOf(error) {
    if (!(error instanceof kit.api.ApiError)) return null;
    return { status: error.status, message: kit.api.readable(error).detail.replace(/^text\[\d+\] /, "it "), retryAfterS: error.retryAfterS };
  }

  /** Wait, and say so. @param {number} seconds @param {string} why @param {AbortSignal} signal */
  async function pause(seconds, why, signal) {
    for (let rest = seconds; rest > 0; rest -= 1) {
      setText(state, `${why} Going on in ${kit.format.duration(Math.min(rest, seconds))}.`);
      await new Promise((resolve) => setTimeout(resolve, Math.min(1, rest) * 1000));
      signal.throwIfAborted();
    }
  }

  /** @param {boolean} isNow @param {number} [atFirst] @param {number} [beganMs] */
  function draw(isNow, atFirst = 0, beganMs = 0) {
    const nowMs = performance.now();
    clearTimeout(due);
    const restMs = drawnMs + DRAWN_MS - nowMs;
    // Too early: but what came last is not to wait for what may never come.
    if (!isNow && restMs > 0) return void (due = setTimeout(() => draw(true, atFirst, beganMs), restMs));
    drawnMs = nowMs;
    const rest = left();
    const share = told.length ? 1 - rest / told.length : 1;
    bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${share * 100}%`;
    const seconds = (nowMs - beganMs) / 1000;
    const rate = (atFirst - rest) / seconds;
    const rated = beganMs && rate > 0 ? ` · ${kit.format.rate(rate)} texts a second` : "";
    const remaining = rest && rated ? ` · ${kit.format.duration(rest / rate)} left` : "";
    setText(state, `${kit.format.integer(told.length - rest)} of ${kit.format.plural(told.length, "row")}${rated}${remaining}`);
    results.update({ name: found.name, columns: sheet.columns, rows: sheet.rows, told });
  }

  return {
    title: "Many texts",
    element: h("div", { class: "stack" }, h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Texts")), h("div", { class: "card-body stack" }, drop, trouble, chosen)), results.element),
  };
}
