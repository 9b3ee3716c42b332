// @ts-check
/** Inputs of a hosted model: a table of rows, JSON, or a picture, made of what the model says it takes. */

const MOST_ROWS = 50;
const RANDOM_ROWS = 20;
const SCALES = [["255", "0 to 1 (divided by 255)"], ["1", "0 to 255, as they are"]];

/**
 * @typedef {object} Given what is sent
 * @property {any} [values]
 * @property {File} [image]
 * @property {string} query
 */

/**
 * @param {any} kit @param {any} pure `values.js`
 * @param {{onRun: () => void}} options
 */
export function inputsView(kit, pure, { onRun }) {
  const { h, fill, icon, setText, uniqueId } = kit.dom;
  /** @type {any[]} */
  let inputs = [];
  /** @type {any[] | null} */
  let columns = null;
  /** @type {any[][]} as they stand in the cells */
  let rows = [];
  let mode = "";

  const error = h("p", { class: "field-error", role: "alert", id: uniqueId("inputs-error") });
  const modes = h("div", { class: "row hosted-modes", role: "group", "aria-label": "Inputs as" });
  const place = h("div", { class: "stack tight" });
  const tools = h("div", { class: "row" });
  const json = h("textarea", { class: "input mono", rows: 8, spellcheck: "false", "aria-label": "Values as JSON", "aria-describedby": error.id });
  const file = h("input", { class: "input", type: "file", accept: "image/png,image/jpeg", "aria-label": "Picture" });
  const scale = h("select", { class: "input", id: uniqueId("scale") }, ...SCALES.map(([value, label]) => h("option", { value }, label)));
  const element = h("div", { class: "stack tight" }, modes, place, error, tools);
  element.addEventListener("input", () => setText(error, ""));
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun();
    }
  });

  /** Take what another version takes; what was typed stays where it fits. @param {any[]} next */
  function setInputs(next) {
    if (JSON.stringify(next) === JSON.stringify(inputs)) return;
    inputs = next;
    columns = pure.columnsOf(inputs);
    if (columns && rows[0]?.length !== columns.length) rows = textsOf(pure.exampleRows(columns));
    json.value = "";
    show(columns ? "table" : pure.takesImages(inputs) ? "image" : "json");
  }

  /** @param {string} next */
  function show(next) {
    mode = next;
    const offered = [columns && ["table", "Table"], ["json", "JSON"], pure.takesImages(inputs) && ["image", "Picture"]].filter(Boolean);
    fill(modes, offered.length > 1 && offered.map(([id, title]) => h("button", { type: "button", class: "button small", "aria-pressed": String(id === mode), onclick: () => change(id) }, title)));
    if (mode === "table") showTable();
    else if (mode === "json") fill(place, exampled(), h("p", { class: "field-hint" }, "What stands in values: one observation, or a list of them."));
    else fill(place, h("div", { class: "field" }, file, h("p", { class: "field-hint" }, "PNG or JPEG; it is turned upright and resized to what the model takes.")), h("div", { class: "field" }, h("label", { for: scale.id }, "Pixels become"), scale));
    fill(tools, mode !== "image" && columns && [button("plus", "Row", addRow, mode === "table"), button("refresh", `${RANDOM_ROWS} random rows`, () => fillWith(pure.randomRows(columns, RANDOM_ROWS)), true), button("", "Example", () => fillWith(pure.exampleRows(columns)), true)]);
  }

  /** The field of JSON, with what the model takes in it where nothing stands there. */
  function exampled() {
    if (!json.value) json.value = written(columns ? pure.valuesOf(inputs, columns, pure.exampleRows(columns)) : pure.exampleValues(inputs));
    return json;
  }

  /** @param {string} name @param {string} label @param {() => void} run @param {boolean} isThere */
  function button(name, label, run, isThere) {
    return isThere && h("button", { type: "button", class: "button ghost small", onclick: run }, name && icon(name), label);
  }

  /** @param {string} next */
  function change(next) {
    try {
      setText(error, "");
      if (mode === "table" && next === "json") json.value = written(pure.valuesOf(inputs, columns, cells()));
      if (mode === "json" && next === "table") {
        const found = pure.rowsOf(inputs, columns, parsed());
        if (!found) throw new Error("These values are no rows of this model.");
        if (found.length > MOST_ROWS) throw new Error(`The table takes ${MOST_ROWS} rows; as JSON there may be more.`);
        rows = textsOf(found);
      }
      show(next);
      modes.querySelector("[aria-pressed=true]")?.focus();
    } catch (problem) {
      setText(error, /** @type {Error} */ (problem).message);
    }
  }

  /** @param {any[][]} given */
  function fillWith(given) {
    rows = textsOf(given);
    setText(error, "");
    if (mode === "json") json.value = written(pure.valuesOf(inputs, columns, given));
    else showTable();
  }

  function addRow() {
    if (rows.length >= MOST_ROWS) return void setText(error, `The table takes ${MOST_ROWS} rows; as JSON there may be more.`);
    rows.push([...(rows.at(-1) ?? [])]);
    showTable();
    place.querySelector("tbody tr:last-child input")?.focus();
  }

  function showTable() {
    const given = /** @type {any[]} */ (columns);
    const cell = (/** @type {number} */ row, /** @type {number} */ at) => {
      const input = h("input", { class: "input", type: "text", autocomplete: "off", inputmode: given[at].kind === "text" ? null : "decimal", value: rows[row][at], "aria-label": `${given[at].label}, row ${row + 1}` });
      input.addEventListener("input", () => (rows[row][at] = input.value));
      input.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => paste(event, row, at));
      return h("td", null, input);
    };
    const away = (/** @type {number} */ row) => {
      rows.splice(row, 1);
      showTable();
    };
    const remove = (/** @type {number} */ row) => h("td", null, rows.length > 1 && h("button", { type: "button", class: "button ghost small square", "aria-label": `Remove row ${row + 1}`, onclick: () => away(row) }, icon("close")));
    const head = h("tr", null, ...given.map(({ label }) => h("th", { scope: "col" }, label)), h("th", null, h("span", { class: "sr-only" }, "Remove")));
    const body = rows.map((_, row) => h("tr", null, ...given.map((__, at) => cell(row, at)), remove(row)));
    const table = h("table", { class: "table hosted-inputs" }, h("caption", { class: "sr-only" }, "Inputs"), h("thead", null, head), h("tbody", null, ...body));
    fill(place, h("div", { class: "table-wrap hosted-scroll", tabindex: 0, role: "region", "aria-label": "Rows of inputs" }, table), h("p", { class: "field-hint" }, "Cells of a spreadsheet can be pasted. What is left empty is sent as null."));
  }

  /** @param {ClipboardEvent} event @param {number} row @param {number} at */
  function paste(event, row, at) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const block = pure.pasted(text);
    if (block.length === 1 && block[0].length === 1) return;
    // A text may have commas in it.
    if (/** @type {any[]} */ (columns)[at].kind === "text" && !text.includes("\t") && block.length === 1) return;
    event.preventDefault();
    for (const [down, line] of block.slice(0, MOST_ROWS - row).entries()) {
      rows[row + down] ??= /** @type {any[]} */ (columns).map(() => "");
      line.slice(0, rows[row].length - at).forEach((/** @type {string} */ one, /** @type {number} */ right) => (rows[row + down][at + right] = one));
    }
    showTable();
  }

  function cells() {
    return rows.map((row) => row.map((text, at) => pure.cellOf(/** @type {any[]} */ (columns)[at], text)));
  }

  function parsed() {
    try {
      return JSON.parse(json.value);
    } catch (problem) {
      throw new Error(`This is no JSON: ${/** @type {Error} */ (problem).message}`);
    }
  }

  /** What is to be sent; null where something is wrong, which is then said. @returns {Given | null} */
  function given() {
    setText(error, "");
    try {
      if (mode === "image") {
        if (!file.files[0]) throw new Error("Choose a picture.");
        return { image: file.files[0], query: scale.value === "1" ? "" : `?scale=${scale.value}` };
      }
      return { values: mode === "table" ? pure.valuesOf(inputs, columns, cells()) : parsed(), query: "" };
    } catch (problem) {
      setText(error, /** @type {Error} */ (problem).message);
      return null;
    }
  }

  return { element, setInputs, given, refuse: (/** @type {string} */ text) => setText(error, text) };
}

/** @param {any[][]} rows */
function textsOf(rows) {
  return rows.map((row) => row.map((value) => (value === null || value === undefined ? "" : String(value))));
}

/** A line each for rows. @param {any} values */
function written(values) {
  if (!Array.isArray(values) || !values.some((one) => one !== null && typeof one === "object")) return JSON.stringify(values);
  return `[\n${values.map((one) => `  ${JSON.stringify(one)}`).join(",\n")}\n]`;
}
