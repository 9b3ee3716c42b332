// @ts-check
/** Data sets with their files: uploading, downloading, deleting, and what is missing. */

import { get, readable, send } from "../api.js";
import { caller, may } from "../caller.js";
import { emptyState, errorState, progress, tag } from "../blocks.js";
import { ask } from "../dialog.js";
import { byId, fill, h, icon } from "../dom.js";
import { bytes, integer, NONE, plural } from "../format.js";
import { attempt, toast } from "../toast.js";
import { put } from "../shared/upload.js";
import { isCsv, showMissing } from "./missing.js";
import { yearsText } from "./years.js";

/** More are not seen at a glance. */
const MOST_WITHOUT_SEARCH = 6;

let mayChange = false;
let wanted = "";

/** @param {any} set */
function card(set) {
  const isOnShare = set.origin === "share";
  const facts = [plural(set.files.length, "file"), bytes(set.size_bytes), set.rows === null ? "" : plural(set.rows, "row"), yearsText(set.years)].filter(Boolean).join(" · ");
  const heads = ["File", "Size", "Rows", "Years", "Actions"].map((text, at) => h("th", { scope: "col", class: at === 1 || at === 2 ? "num" : null }, at === 4 ? h("span", { class: "sr-only" }, text) : text));
  const rows = set.files.map((/** @type {any} */ file) => row(set, file, isOnShare));
  return h(
    "section",
    { class: "card", "aria-label": set.name },
    h("div", { class: "card-head" }, h("div", { class: "row" }, h("h2", null, set.name), tag(set.origin)), h("p", { class: "hint" }, facts)),
    h("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": `Files of ${set.name}` }, h("table", { class: "table files" }, h("thead", null, h("tr", null, ...heads)), h("tbody", null, ...rows))),
    set.used_by.length > 0 && h("p", { class: "hint list-foot" }, `Used by ${set.used_by.join(", ")}`),
  );
}

/** @param {any} set @param {any} file @param {boolean} isOnShare */
function row(set, file, isOnShare) {
  const path = `/datasets/${encodeURIComponent(set.name)}/${encodeURIComponent(file.name)}`;
  const actions = isOnShare
    ? [
        isCsv(file.name) && h("button", { type: "button", class: "button small", onclick: () => showMissing(set.name, file.name) }, icon("chart"), "Missing values"),
        h("a", { class: "button small", href: path, download: file.name, "aria-label": `Download ${file.name}` }, icon("download")),
        mayChange && h("button", { type: "button", class: "button small danger", "aria-label": `Delete ${file.name}`, onclick: () => remove(set, file, path) }, icon("trash")),
      ]
    : [];
  return h(
    "tr",
    null,
    h("th", { scope: "row", class: "mono" }, file.name),
    h("td", { class: "num" }, bytes(file.size_bytes)),
    h("td", { class: "num" }, integer(file.rows)),
    h("td", { class: "years" }, yearsText(file.years) || NONE),
    h("td", null, h("div", { class: "row end" }, ...actions)),
  );
}

/** @param {any} set @param {any} file @param {string} path */
async function remove(set, file, path) {
  const used = set.used_by.length ? ` Models answer from this data set: ${set.used_by.join(", ")}.` : "";
  const text = `${file.name} (${bytes(file.size_bytes)}) is deleted from the share, for everybody. It cannot be brought back.${used}`;
  if (!(await ask({ title: `Delete ${set.name}/${file.name}?`, text, confirm: "Delete", danger: true }))) return;
  await attempt(() => send("DELETE", path), `${file.name} was deleted`);
  await show();
}

async function show() {
  try {
    const sets = await get("/datasets");
    fill(byId("datasets"), ...sets.map((/** @type {any} */ set) => h("option", { value: set.name })));
    if (!sets.length) fill(byId("sets"), emptyState("There are no data sets", mayChange ? "Upload a file to begin one." : "Who has the scope admin can upload files."));
    else if (sets.length > MOST_WITHOUT_SEARCH) searched(sets);
    else fill(byId("sets"), ...sets.map(card));
  } catch (error) {
    fill(byId("sets"), errorState(error, show));
  }
}

/** Those whose name, or a file's, has what is looked for. @param {any[]} sets */
function searched(sets) {
  const none = emptyState("No data set is like that", "The names of data sets and of their files are searched.");
  const cards = sets.map((set) => ({ names: [set.name, ...set.files.map((/** @type {any} */ file) => file.name)].join("\n").toLowerCase(), element: card(set) }));
  const search = h("input", { class: "input", type: "search", "aria-label": "Find a data set", placeholder: "Find a data set or a file", autocomplete: "off", spellcheck: "false", value: wanted });
  const update = () => {
    wanted = search.value;
    for (const one of cards) one.element.hidden = !one.names.includes(wanted.trim().toLowerCase());
    none.hidden = cards.some((one) => !one.element.hidden);
  };
  search.addEventListener("input", update);
  update();
  fill(byId("sets"), h("div", { class: "filters" }, h("div", { class: "field" }, search)), none, ...cards.map((one) => one.element));
}

/** @param {string} text @param {string} [field] */
function wrong(text, field) {
  fill(byId("upload-error"), text);
  if (field) byId(field).focus();
}

byId("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong("");
  const name = byId("dataset").value.trim();
  const files = /** @type {File[]} */ ([...(byId("files").files ?? [])]);
  if (!name) return wrong("Name the data set that the files belong to.", "dataset");
  if (!files.length) return wrong("Choose a file.", "files");
  try {
    const known = (await get("/datasets")).find((/** @type {any} */ set) => set.name === name && set.origin === "share");
    const replaced = files.filter((file) => known?.files.some((/** @type {any} */ one) => one.name === file.name)).map((file) => file.name);
    const text = `${replaced.join(", ")} of ${name} will be replaced, for everybody. What is there now cannot be brought back.`;
    if (replaced.length && !(await ask({ title: `Replace ${plural(replaced.length, "file")}?`, text, confirm: "Replace", danger: true }))) return;
    for (const file of files) {
      const path = `/datasets/${encodeURIComponent(name)}/${encodeURIComponent(file.name)}`;
      const sending = (/** @type {number} */ share) => fill(byId("sending"), h("p", { class: "hint" }, `Sending ${file.name}`), progress(share, `Sending ${file.name}`));
      sending(0);
      const stored = await put(path, file, sending);
      toast(`${file.name} was uploaded`, { kind: "good", detail: `SHA-256 ${stored.sha256}` });
    }
    byId("files").value = "";
  } catch (error) {
    const { title, detail } = readable(error);
    wrong(detail || title);
  }
  fill(byId("sending"));
  await show();
});

const drop = byId("upload");
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("is-over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("is-over");
  if (event.dataTransfer?.files.length) byId("files").files = event.dataTransfer.files;
});

caller()
  .then((who) => (mayChange = may(who, "admin")))
  .catch(() => {})
  .then(show);
