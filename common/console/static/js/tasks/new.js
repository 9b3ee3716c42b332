// @ts-check
/** Submitting a task: fields or JSON, a program, inputs in parts, and a look at the script before. */

import { ApiError, get, readable, send } from "../api.js";
import { code, notice, progress } from "../blocks.js";
import { caller, may } from "../caller.js";
import { cancelButton, open } from "../dialog.js";
import { byId, fill, h, icon } from "../dom.js";
import { tabs } from "../tabs.js";
import { inParts } from "../shared/upload.js";
import { configOf, parsedConfig } from "./config.js";

/** @type {any[]} */
let clusters = [];
let isJson = false;
/** Inputs that were sent already: a second try sends them not again. @type {Map<File, string>} */
const sent = new Map();

const form = /** @type {HTMLFormElement} */ (/** @type {unknown} */ (byId("task")));
const [fields, json] = [byId("fields"), byId("as-json")];
byId("config-tabs").append(
  tabs(
    [
      { id: "fields", title: "Fields", panel: fields, onShow: () => (isJson = false) },
      { id: "json", title: "JSON", panel: json, onShow: showJson },
    ],
    { label: "Config", parameter: "" },
  ),
);

function showJson() {
  if (!isJson) byId("config").value = JSON.stringify(ofFields(), null, 2);
  isJson = true;
}

function ofFields() {
  const given = [.../** @type {NodeListOf<HTMLInputElement>} */ (fields.querySelectorAll("[data-field]"))].map((one) => ({ name: one.dataset.field ?? "", text: one.value, isNumber: "number" in one.dataset }));
  const pairs = [...byId("parameters").children].map((row) => /** @type {[string, string]} */ ([...row.querySelectorAll("input")].map((one) => one.value)));
  return configOf(given, pairs);
}

function addParameter() {
  const number = byId("parameters").childElementCount + 1;
  const row = h(
    "div",
    { class: "pair" },
    h("input", { class: "input", placeholder: "name", autocomplete: "off", spellcheck: "false", "aria-label": `Name of parameter ${number}` }),
    h("input", { class: "input", placeholder: "value", autocomplete: "off", spellcheck: "false", "aria-label": `Value of parameter ${number}` }),
    h("button", { type: "button", class: "button ghost square", "aria-label": `Remove parameter ${number}`, onclick: () => row.remove() }, icon("trash")),
  );
  byId("parameters").append(row);
  return row;
}

/** What is sent; null where something has to be mended first. @returns {Promise<FormData | null>} */
async function body() {
  const program = byId("program").files?.[0];
  if (!program) return problem("There is no program", "Choose a .py or .sh file, or an archive with one.", byId("program"));
  const config = isJson ? parsedConfig(byId("config").value) : ofFields();
  if (typeof config === "string") return problem("The config is no JSON object", config, byId("config"));
  const inputs = [];
  for (const file of /** @type {File[]} */ ([...(byId("inputs").files ?? [])])) inputs.push({ path: file.name, upload: await upload(file) });
  fill(byId("sending"));
  if (inputs.length) config.inputs = [...(Array.isArray(config.inputs) ? config.inputs : []), ...inputs];
  const made = new FormData();
  made.append("config", new Blob([JSON.stringify(config)], { type: "application/json" }), "config.json");
  made.append("program", program, program.name);
  return made;
}

/** @param {File} file */
async function upload(file) {
  const known = sent.get(file);
  if (known) return known;
  const onProgress = (/** @type {string} */ what, /** @type {number} */ share) => fill(byId("sending"), h("p", { class: "hint" }, `${what} ${file.name}`), progress(share, `${what} ${file.name}`));
  const { id } = await inParts("/tasks/uploads", file, { onProgress });
  sent.set(file, id);
  return id;
}

/** @param {string} title @param {string} text @param {HTMLElement} [field] @returns {null} */
function problem(title, text, field) {
  fill(byId("problem"), notice("bad", title, text));
  (field ?? byId("problem")).focus();
  return null;
}

/** @param {unknown} error */
function failed(error) {
  fill(byId("sending"));
  const { title, detail } = readable(error);
  const errors = error instanceof ApiError ? error.errors : [];
  const list = errors.length > 1 ? h("ul", null, ...errors.map((one) => h("li", null, `${one.field}: ${one.message}`))) : detail;
  fill(byId("problem"), notice("bad", title, list));
  byId("problem").focus();
}

/** @param {HTMLElement} button @param {() => Promise<void>} work */
async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  fill(byId("problem"));
  try {
    await work();
  } catch (error) {
    failed(error);
  }
  button.removeAttribute("aria-busy");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(byId("submit"), async () => {
    const made = await body();
    if (!made) return;
    const task = await send("POST", "/tasks", made);
    location.assign(`/console/tasks/${task.id}`);
  });
});

byId("preview").addEventListener("click", () =>
  busy(byId("preview"), async () => {
    const made = await body();
    if (!made) return;
    const found = await send("POST", "/tasks/preview", made);
    const told = h("p", { class: "muted" }, `What ${found.cluster} (${found.kind}) would get. Nothing was submitted.`);
    open({ title: "Script", body: [told, code(found.script, { label: "Script" })], actions: [cancelButton("Close")], wide: true });
  }),
);

byId("add-parameter").addEventListener("click", () => addParameter().querySelector("input")?.focus());
addParameter();

function showPartitions() {
  const cluster = clusters.find((one) => one.name === byId("cluster").value);
  fill(byId("partitions"), ...(cluster?.partitions ?? []).map((/** @type {any} */ one) => h("option", { value: one.name })));
}

byId("cluster").addEventListener("change", showPartitions);
caller()
  .then((who) => {
    if (may(who, "submit")) return;
    fill(byId("problem"), notice("warn", "You may not submit tasks", "That takes the scope submit, which your key does not have."));
    byId("submit").disabled = byId("preview").disabled = true;
  })
  .catch(() => {});
get("/clusters")
  .then((found) => {
    clusters = found.clusters;
    fill(byId("cluster"), ...clusters.map((one) => h("option", { value: one.name }, `${one.title || one.name}${one.state === "up" ? "" : ` (${one.state})`}`)));
    showPartitions();
  })
  .catch(failed);
