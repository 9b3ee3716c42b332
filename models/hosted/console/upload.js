// @ts-check
/** Uploading a model: a file that is dragged here or chosen, its checks, and what came of it. */

const PATH = "/hosted/uploads";
const TAKEN = ".onnx,.skops,.txt,.json,.ubj,.zip";
const TAG = "[0-9a-z\\-]{1,63}";
const ALIAS = "[a-z][a-z0-9\\-]{0,62}";
const HEAD_BYTES = 16;
const DOING = { Checking: "Its digest is worked out", Sending: "It is sent", Finishing: "The server loads it and runs it on made-up rows, in a process of its own" };
/** What a newcomer may try; the last line of the tutorial's first part does the same. */
const LESSON = `import skops.io
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
tree = DecisionTreeClassifier(max_depth=3)
skops.io.dump(tree.fit(X, y), "iris.skops")`;

/**
 * @param {any} kit @param {any} pure `values.js`
 * @param {{tags: () => any[], done: (made: any) => void, cancelled: () => void}} options `tags` are the entries there are
 */
export function uploadView(kit, pure, { tags, done, cancelled }) {
  const { h, fill, icon, setText, uniqueId } = kit.dom;
  const { bytes } = kit.format;
  /** @type {File | null} */
  let file = null;
  /** @type {AbortController | null} */
  let running = null;
  /** The name was typed, not taken from the file. */
  let isNamed = false;

  const chooser = h("input", { class: "input", id: uniqueId("file"), type: "file", accept: TAKEN });
  const chosen = h("p", { "aria-live": "polite" });
  const drop = h("div", { class: "drop hosted-drop" }, icon("upload"), h("label", { class: "hosted-file-label", for: chooser.id }, "Drag a model here, or choose its file"), chooser, chosen, h("p", { class: "hint" }, "ONNX (.onnx, or .zip with its data), scikit-learn (.skops), LightGBM (.txt), XGBoost (.json, .ubj), Hugging Face (.zip)"));
  const names = h("datalist", { id: uniqueId("tags") });
  const name = h("input", { class: "input mono", id: uniqueId("tag"), required: true, pattern: TAG, maxlength: 63, list: names.id, placeholder: "iris", autocomplete: "off", spellcheck: "false" });
  const becomes = h("p", { class: "field-hint", id: `${name.id}-hint`, "aria-live": "polite" });
  name.setAttribute("aria-describedby", becomes.id);
  const about = h("input", { class: "input", id: uniqueId("about"), maxlength: 10000, placeholder: "What is special about this version", autocomplete: "off" });
  const metrics = h("input", { class: "input mono", id: uniqueId("metrics"), placeholder: "accuracy=0.96 f1=0.95", autocomplete: "off", spellcheck: "false" });
  const alias = h("input", { class: "input mono", id: uniqueId("alias"), pattern: ALIAS, maxlength: 63, placeholder: "candidate", autocomplete: "off", spellcheck: "false" });
  const library = h("input", { class: "input mono", id: uniqueId("library"), maxlength: 100, placeholder: "1.9.1", autocomplete: "off", spellcheck: "false" });
  const problem = h("div", { class: "stack tight", role: "alert", tabindex: -1 });
  const progress = h("div", { class: "stack tight", role: "status", "aria-live": "polite" });
  const send = h("button", { type: "submit", class: "button primary" }, icon("upload"), "Upload");
  const stop = h("button", { type: "button", class: "button", hidden: true, onclick: () => running?.abort() }, icon("stop"), "Cancel");
  const back = h("button", { type: "button", class: "button ghost", onclick: () => cancelled() }, "Back");

  const form = h(
    "form",
    { class: "form" },
    drop,
    problem,
    names,
    field("Name", name, becomes),
    field("Note", about),
    h(
      "details",
      { class: "more" },
      h("summary", null, "What was measured, alias, library"),
      h("div", { class: "form" }, field("Measured", metrics, h("p", { class: "field-hint" }, "Name and number, with spaces between them. Versions are compared by these.")), field("Alias", alias, h("p", { class: "field-hint" }, "Is pointed to the new version. default lets it serve at once.")), field("Version of its library", library, h("p", { class: "field-hint" }, "Where the file does not tell it."))),
    ),
    progress,
    h("div", { class: "form-actions" }, send, stop, back),
  );
  form.addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), start()));
  chooser.addEventListener("change", () => take(chooser.files[0]));
  name.addEventListener("input", () => {
    isNamed = name.value !== "";
    tell();
  });
  for (const type of ["dragenter", "dragover"]) drop.addEventListener(type, (/** @type {DragEvent} */ event) => (event.preventDefault(), drop.classList.add("is-over")));
  drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.remove("is-over");
    if (event.dataTransfer) dropped(event.dataTransfer.files);
  });
  const heading = h("h2", null, "");
  const lesson = h("section", { class: "card" }, h("div", { class: "card-head" }, h("h3", null, "No model at hand?")), h("div", { class: "card-body stack tight" }, h("p", { class: "muted" }, "This makes a small one, where scikit-learn and skops are installed:"), kit.blocks.code(LESSON, { label: "Python that makes a model" }), h("p", { class: "muted" }, "Upload iris.skops here, or from the terminal:"), kit.blocks.code("atoll registry push iris.skops --name iris", { wraps: true, label: "Command that uploads it" })));
  const element = h("div", { class: "hosted-upload" }, h("section", { class: "card" }, h("div", { class: "card-head" }, heading), h("div", { class: "card-body" }, form)), lesson);

  /** @param {string} label @param {any} control @param {any} [hint] */
  function field(label, control, hint) {
    return h("div", { class: "field" }, h("label", { for: control.id }, label), control, hint);
  }

  /** What the new version will be. */
  function tell() {
    const known = tags().find((one) => one.model === `hosted.${name.value}`);
    if (!name.value) setText(becomes, "Digits, lower-case letters and dashes.");
    else if (known) setText(becomes, `A further version of ${name.value}. It serves once you let it.`);
    else setText(becomes, `A new model. Its first version serves at once.`);
  }

  /** @param {FileList} files */
  function dropped(files) {
    if (running || !files.length) return;
    chooser.files = files;
    take(files[0]);
  }

  /** @param {File | undefined} given */
  async function take(given) {
    fill(problem);
    if (!given || running) return;
    file = given;
    setText(chosen, bytes(given.size));
    if (!isNamed) name.value = pure.tagOf(given.name);
    tell();
    try {
      const head = new Uint8Array(await given.slice(0, HEAD_BYTES).arrayBuffer());
      if (file === given && pure.isPickle(given.name, head)) refusePickle(given);
    } catch {
      wrong("This file cannot be read", "Drag a file, not a folder.");
      file = null;
    }
  }

  /** @param {File} given */
  function refusePickle(given) {
    file = null;
    fill(problem, kit.blocks.notice("bad", `${given.name} is a pickle, and was not sent`, "A pickle can run any code, so no server should open one. Convert it where it was trained, and send what that makes:"), kit.blocks.code(`atoll registry convert ${/\s/.test(given.name) ? `'${given.name}'` : given.name}`, { wraps: true, label: "Command that converts it" }));
  }

  /** @param {string} title @param {string} text */
  function wrong(title, text) {
    fill(problem, kit.blocks.notice("bad", title, text));
    problem.focus();
  }

  /** @returns {Record<string, number> | null} null where they are none, which is then said */
  function measured() {
    /** @type {Record<string, number>} */
    const found = {};
    for (const one of metrics.value.split(/[\s,;]+/).filter(Boolean)) {
      const [, key, value] = /^([^=]+)=(.+)$/.exec(one) ?? [];
      if (!key || !Number.isFinite(Number(value))) {
        wrong("What was measured cannot be read", `“${one}” is no name and number; write accuracy=0.96.`);
        return null;
      }
      found[key] = Number(value);
    }
    return found;
  }

  async function start() {
    if (running) return;
    fill(problem);
    if (!file) {
      wrong("No file is chosen", "Drag a model here, or choose its file.");
      chooser.focus();
      return;
    }
    const figures = measured();
    if (!figures) return;
    const optional = { model_description: about.value.trim(), alias: alias.value.trim(), library_version: library.value.trim() };
    const details = { tag: name.value, ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value)), ...(Object.keys(figures).length ? { metrics: figures } : {}) };
    const current = new AbortController();
    running = current;
    busy(true);
    try {
      const { answer } = await kit.uploads.inParts(PATH, file, { details, onProgress: show, signal: current.signal });
      const made = answer;
      kit.toast(`Version ${made.version} of ${made.tag} is there`, { kind: "good", detail: made.notes.join(" ") });
      reset();
      done(made);
    } catch (error) {
      failed(error);
    } finally {
      running = null;
      busy(false);
    }
  }

  /** @param {"Checking" | "Sending" | "Finishing"} what @param {number} share */
  function show(what, share) {
    // The server finishes what it has begun.
    if (what === "Finishing") stop.hidden = true;
    const text = what === "Sending" && file && file.size > 1e6 ? `${DOING[what]}: ${bytes(share * file.size)} of ${bytes(file.size)}` : DOING[what];
    fill(progress, h("p", { class: "hint" }, text), kit.blocks.progress(what === "Finishing" ? null : share, DOING[what]));
  }

  /** @param {any} error */
  function failed(error) {
    if (kit.api.isAborted(error)) return void fill(problem, kit.blocks.notice("info", "Cancelled", "What was sent is dropped, and nothing has changed."));
    const { title, detail } = kit.api.readable(error);
    const status = error instanceof kit.api.ApiError ? error.status : 0;
    if (status === 422) return wrong("The model is refused, and nothing has changed", detail);
    if (status === 0 || status === 429 || status >= 502) return wrong(title, `${detail} What arrived is kept: Upload goes on from there.`);
    wrong(title, detail);
  }

  /** @param {boolean} isBusy */
  function busy(isBusy) {
    send.disabled = isBusy;
    stop.hidden = !isBusy;
    back.disabled = isBusy;
    chooser.disabled = isBusy;
    if (!isBusy) fill(progress);
  }

  function reset() {
    file = null;
    isNamed = false;
    for (const one of [chooser, name, about, metrics, alias, library]) one.value = "";
    setText(chosen, "");
    tell();
  }

  return {
    element,
    dropped,
    /** @param {{tag?: string, isFirst: boolean}} now `tag` of what gets a further version; `isFirst` where there is no model yet */
    begin({ tag = "", isFirst }) {
      setText(heading, isFirst ? "Upload your first model" : tag ? `A further version of ${tag}` : "Upload a model");
      lesson.hidden = !isFirst;
      back.hidden = isFirst;
      fill(names, ...tags().map((one) => h("option", { value: one.model.slice("hosted.".length) })));
      if (tag) [name.value, isNamed] = [tag, true];
      tell();
    },
  };
}
