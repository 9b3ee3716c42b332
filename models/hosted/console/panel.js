// @ts-check
/** Hosted models: which there are, asking and comparing their versions, uploading, rolling back. */

const EVERY_MS = 10_000;
const PREFIX = "hosted.";
/** In the address, which of them is shown. */
const SHOWN = "tag";

const STYLES = `
.hosted, .hosted .stack { grid-template-columns: minmax(0, 1fr); }
.hosted :is(.stack, .form) > :is(div, p):empty { display: none; }
.hosted-side { display: flex; flex-wrap: wrap; align-items: start; justify-content: space-between; gap: var(--space-3); }
.hosted-list { display: flex; flex: 1 1 20rem; flex-wrap: wrap; gap: var(--space-2); max-height: 13rem; margin: -2px; padding: 2px; overflow-y: auto; list-style: none; }
@media (width < 40rem) { .hosted-list { flex: 1 1 100%; flex-wrap: nowrap; overflow-x: auto; } .hosted-list button { width: max-content; } }
.hosted-list button { display: grid; gap: 0.125rem; min-width: 10rem; max-width: 20rem; height: 100%; align-content: start; padding: var(--space-2) var(--space-3); border: 1px solid var(--line); border-radius: var(--radius-m); background: var(--surface-1); color: inherit; font: inherit; text-align: start; cursor: pointer; }
.hosted-list button:hover { background: var(--surface-2); }
.hosted-list [aria-current] { border-color: var(--accent); background: var(--accent-soft); }
.hosted-list .mono { font-weight: 600; overflow-wrap: anywhere; }
.hosted-list [aria-current] .mono { color: var(--accent-strong); }
.hosted-modes [aria-pressed="true"] { border-color: var(--accent); background: var(--accent-soft); color: var(--accent-strong); }
.hosted-pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: var(--space-3); }
.hosted-inputs .input { min-width: 4.5rem; }
.hosted-inputs :is(td, th) { padding: 0.125rem 0.25rem; border: 0; text-align: start; }
.hosted-inputs :is(td, th):first-child { padding-inline-start: 2px; }
.hosted-scroll { max-height: 26rem; overflow-y: auto; }
.hosted-file { display: grid; min-width: 8rem; max-width: 16rem; overflow-wrap: anywhere; white-space: normal; }
.hosted-more:empty { display: none; }
.hosted-more { padding: var(--space-2) var(--space-4); }
.hosted-version { max-width: 9rem; }
.hosted-when { white-space: nowrap; }
.hosted-drop .input { max-width: 24rem; }
.hosted-upload { display: flex; flex-wrap: wrap; align-items: start; gap: var(--space-5); }
.hosted-upload > * { flex: 1 1 min(100%, 20rem); min-width: 0; }
.hosted-upload > :first-child { flex: 2 1 min(100%, 28rem); }
.hosted-file-label { color: var(--text); font-size: var(--text-l); font-weight: 600; cursor: pointer; }
.hosted-shares { display: grid; gap: var(--space-2); border-bottom: 1px solid var(--line); }
.hosted-bar { display: flex; gap: 2px; height: 0.5rem; overflow: hidden; border-radius: 999px; }
.hosted-bar span { flex-basis: 0; min-width: 3px; background: var(--series-2); }
.hosted-bar .is-default { background: var(--series-1); }
`;

/** @param {{model: any}} given @param {any} kit */
export async function page({ model }, kit) {
  kit.styles(STYLES);
  const [pure, inputs, asking, versions, uploading, who] = await Promise.all([kit.part("values.js"), kit.part("inputs.js"), kit.part("ask.js"), kit.part("versions.js"), kit.part("upload.js"), kit.caller()]);
  const { h, fill, icon } = kit.dom;
  const mayUpload = kit.may(who, "train");
  const isAdmin = kit.may(who, "admin");
  /** @type {any[] | null} entries of the registry, by name */
  let entries = null;
  /** Why versions could not be opened, by `hosted.<tag>:<number>`. @type {Record<string, string>} */
  let failed = model.failed_versions ?? {};
  let shown = new URLSearchParams(location.search).get(SHOWN) ?? "";
  let isUploading = false;
  /** Of the model that is shown. @type {{tag: string, element: HTMLElement, refresh: () => Promise<void>, suggest: (version: number) => void} | null} */
  let detail = null;
  let drawn = "";

  const list = h("ul", { class: "hosted-list" });
  const add = mayUpload && h("button", { type: "button", class: "button", onclick: () => upload("") }, icon("upload"), "Upload a model");
  const side = h("nav", { class: "hosted-side", "aria-label": "Hosted models" }, list, add);
  const main = h("div", { class: "stack" }, kit.blocks.skeleton(6));
  const element = h("div", { class: "stack hosted" }, side, main);

  const form = uploading.uploadView(kit, pure, {
    tags: () => entries ?? [],
    async done(/** @type {any} */ made) {
      isUploading = false;
      shown = made.tag;
      await again();
      choose(made.tag);
      detail?.suggest(made.version);
    },
    cancelled() {
      isUploading = false;
      show();
    },
  });

  /** @param {string} tag of what gets a further version */
  function upload(tag) {
    isUploading = true;
    form.begin({ tag, isFirst: entries?.length === 0 });
    show();
    form.element.querySelector("input")?.focus();
  }

  /** @param {string} tag */
  function choose(tag) {
    shown = tag;
    isUploading = false;
    const address = new URL(location.href);
    address.searchParams.set(SHOWN, tag);
    history.replaceState(null, "", address);
    show();
  }

  async function look() {
    const [all, models] = await Promise.all([kit.api.get("/registry"), kit.api.get("/models")]);
    entries = all.filter((/** @type {any} */ one) => one.model.startsWith(PREFIX));
    failed = models.find((/** @type {any} */ one) => one.name === model.name)?.failed_versions ?? {};
    const now = JSON.stringify([entries, failed]);
    if (now === drawn) return;
    drawn = now;
    show();
    await detail?.refresh();
  }

  async function again() {
    try {
      await look();
    } catch (error) {
      kit.toastError(error);
    }
  }

  function show() {
    if (!entries) return;
    const isEmpty = !entries.length;
    side.hidden = isEmpty;
    if (isEmpty) {
      detail = null;
      if (!mayUpload) return void fill(main, kit.blocks.emptyState("No hosted models yet", "Who has the scope train can upload one."));
      if (form.element.parentNode === main) return;
      form.begin({ isFirst: true });
      return void fill(main, form.element);
    }
    const tags = entries.map((one) => one.model.slice(PREFIX.length));
    if (!tags.includes(shown)) shown = tags[0];
    const isWithin = list.contains(document.activeElement);
    fill(list, ...entries.map((entry, at) => itemOf(entry, tags[at])));
    if (isWithin) list.querySelector("[aria-current]")?.focus();
    if (isUploading) return void (form.element.parentNode === main || fill(main, form.element));
    if (detail?.tag !== shown) {
      detail = detailView(shown);
      detail.refresh();
    }
    if (detail.element.parentNode !== main) fill(main, detail.element);
  }

  /** @param {any} entry @param {string} tag */
  function itemOf(entry, tag) {
    const serves = entry.aliases.default === undefined ? "no version serves" : `v${entry.aliases.default} serves`;
    const isFailing = Object.keys(failed).some((ref) => ref.startsWith(`${entry.model}:`));
    const told = [serves, kit.format.plural(entry.count, "version")].join(" · ");
    const state = h("span", { class: "row" }, isFailing && kit.blocks.tag("does not open", "bad"), entry.traffic && kit.blocks.tag("on trial", "info"));
    const button = h("button", { type: "button", "aria-current": tag === shown && !isUploading ? "true" : null, onclick: () => choose(tag) }, h("span", { class: "mono" }, tag), h("span", { class: "hint" }, told), state.childElementCount > 0 && state);
    return h("li", null, button);
  }

  /** @param {string} tag */
  function detailView(tag) {
    const head = h("div", { class: "row spread" });
    const ask = asking.askView(kit, pure, inputs, tag);
    const table = versions.versionsView(kit, tag, isAdmin, {
      changed: again,
      compare,
    });
    /** @type {any} */
    let entry = null;
    const views = kit.tabs(
      [
        { id: "try", title: "Try and compare", panel: ask.element },
        { id: "versions", title: "Versions", panel: h("div", { class: "stack" }, table.element), onShow: () => entry && refresh() },
      ],
      { label: `Parts of ${tag}`, parameter: "part" },
    );
    const trouble = h("div", { class: "stack tight" });
    const content = h("div", { class: "stack" }, head, trouble, views);

    async function refresh() {
      try {
        entry = await kit.api.get(`/registry/${PREFIX}${tag}`);
        // Of any version: it tells of all of them.
        const told = await kit.api.get(`/hosted/models/${tag}:${entry.latest}/information`);
        const reasons = Object.fromEntries(Object.entries(failed).filter(([ref]) => ref.startsWith(`${PREFIX}${tag}:`)).map(([ref, why]) => [ref.split(":")[1], why]));
        fill(trouble, ...Object.entries(reasons).map(([version, why]) => kit.blocks.notice("bad", `Version ${version} does not open, so the one before it answers`, String(why))));
        ask.update(entry);
        table.update(entry, told.versions, reasons);
        fill(head, ...headOf());
      } catch (/** @type {any} */ error) {
        if (error instanceof kit.api.ApiError && error.status === 404) return;
        fill(trouble, kit.blocks.errorState(error, refresh));
      }
    }

    /** @param {string} first @param {string} second names of versions */
    function compare(first, second) {
      views.querySelector("[data-tab=try]")?.click();
      ask.compare(first, second);
    }

    /** A version that is new is put beside the one that serves. @param {number} version */
    async function suggest(version) {
      await refresh();
      const serving = entry?.aliases.default;
      if (serving !== undefined && serving !== version) compare(String(serving), String(version));
    }

    function headOf() {
      const canGoBack = isAdmin && entry.rollbacks.default !== undefined;
      return [
        h("div", null, h("h2", null, tag), h("p", { class: "hint" }, entry.description || "No description")),
        h(
          "div",
          { class: "row" },
          canGoBack && h("button", { type: "button", class: "button", onclick: () => table.rollBack() }, icon("rollback"), `Roll back to v${entry.rollbacks.default}`),
          mayUpload && h("button", { type: "button", class: "button", onclick: () => upload(tag) }, icon("plus"), "New version"),
          isAdmin && h("button", { type: "button", class: "button ghost square", "aria-label": `Describe ${tag}`, title: "Describe", onclick: describe }, icon("edit")),
          isAdmin && h("button", { type: "button", class: "button ghost square", "aria-label": `Delete ${tag}`, title: "Delete", onclick: remove }, icon("trash")),
        ),
      ];
    }

    function describe() {
      const field = h("textarea", { class: "input", rows: 4, maxlength: 10000, "aria-label": `Description of ${tag}` });
      field.value = entry.description;
      const dialog = kit.dialog.open({ title: `Describe ${tag}`, body: [field], actions: [kit.dialog.cancelButton(), h("button", { type: "submit", class: "button primary" }, "Save")] });
      dialog.querySelector("form").addEventListener("submit", (/** @type {Event} */ event) => {
        event.preventDefault();
        dialog.close("yes");
        attempt(() => kit.api.send("PATCH", `/hosted/models/${tag}`, { description: field.value.trim() }), `${tag} is described`);
      });
      field.focus();
    }

    async function remove() {
      const text = `${kit.format.plural(entry.count, "version")} of ${tag} and their files are deleted, for everybody. Who asks for ${tag} is answered 404. They cannot be brought back.`;
      if (!(await kit.dialog.ask({ title: `Delete ${tag}?`, text, confirm: "Delete", danger: true, type: tag }))) return;
      await attempt(() => kit.api.send("DELETE", `/hosted/models/${tag}`), `${tag} was deleted`);
    }

    return { tag, element: content, refresh, suggest };
  }

  /** @param {() => Promise<any>} change @param {string} done */
  async function attempt(change, done) {
    await kit.attempt(change, done);
    await again();
  }

  // A file that is dragged anywhere over the page is meant for the form, and never replaces the page.
  let isSeen = false;
  document.addEventListener("dragover", (event) => {
    if (!isSeen || !mayUpload || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (!isUploading && entries?.length) upload("");
  });
  document.addEventListener("drop", (event) => {
    if (!isSeen || !mayUpload || event.defaultPrevented || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    form.dropped(event.dataTransfer.files);
  });

  const watched = kit.poll(
    () => (isSeen || !entries ? look() : undefined),
    { everyMs: EVERY_MS, onError: (/** @type {unknown} */ error) => entries || fill(main, kit.blocks.errorState(error, () => watched.now())) },
  );
  return {
    title: "Models",
    element,
    instead: "versions",
    onShow() {
      isSeen = true;
      watched.now();
    },
    onHide: () => (isSeen = false),
  };
}
