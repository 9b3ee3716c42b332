// @ts-check
/** Versions of a hosted model: which answers whom, and changing that. */

const DEFAULT = "default";
const CANARY = "candidate";
const ALIAS = "[a-z][a-z0-9\\-]{0,62}";
const MOST_METRICS = 3;

/**
 * @param {any} kit @param {string} tag @param {boolean} isAdmin
 * @param {{changed: () => Promise<void>, compare: (first: string, second: string) => void}} options
 */
export function versionsView(kit, tag, isAdmin, { changed, compare }) {
  const { h, fill, icon, uniqueId } = kit.dom;
  const { ago, bytes, dateTime, number, percent, plural, NONE } = kit.format;
  const model = `/registry/hosted.${tag}`;
  /** @type {any} */
  let entry = null;
  /** By number, as the hosted model tells them. @type {Map<number, any>} */
  let details = new Map();
  /** @type {Record<string, string>} */
  let failed = {};

  const rows = kit.table(
    [
      { title: "Version", isHead: true, cell: (/** @type {any} */ row) => h("span", { class: "row hosted-version" }, `v${row.number}`, ...badges(row)) },
      { title: "Published", isMinor: true, cell: (/** @type {any} */ row) => h("span", { class: "hosted-when", title: `${dateTime(row.created_at)}${row.author ? `, by ${row.author}` : ""}` }, ago(row.created_at)) },
      { title: "Measured", cell: (/** @type {any} */ row) => metricsText(row.metrics) },
      { title: "File", isMinor: true, cell: (/** @type {any} */ row) => fileOf(row) },
      { title: "Actions", titleHidden: true, cell: (/** @type {any} */ row) => actionsOf(row) },
    ],
    { key: (/** @type {any} */ row) => String(row.number), caption: `Versions of ${tag}`, empty: () => kit.blocks.emptyState("No versions"), version: () => `${JSON.stringify(entry)} ${JSON.stringify([...details])} ${JSON.stringify(failed)}` },
  );
  const shares = h("div", { class: "stack tight" });
  const more = h("p", { class: "hint hosted-more" });
  const element = h("section", { class: "card" }, shares, rows.element, more);

  /** @param {any} next of the registry @param {any[]} told of the hosted model @param {Record<string, string>} reasons why versions could not be opened, by number */
  function update(next, told, reasons) {
    [entry, details, failed] = [next, new Map(told.map((one) => [one.version, one])), reasons];
    rows.update(entry.versions);
    fill(more, entry.count > entry.versions.length && `The newest ${entry.versions.length} of ${plural(entry.count, "version")}`);
    fill(shares, entry.traffic && sharesView());
  }

  /** @param {any} row */
  function badges(row) {
    const named = Object.entries(entry.aliases).filter(([, version]) => version === row.number).map(([alias]) => kit.blocks.tag(alias === DEFAULT ? "serves" : alias, alias === DEFAULT ? "good" : "info"));
    const isOpen = details.get(row.number)?.is_open && h("span", { class: "badge", title: "It is in memory, in the process that told this" }, "open");
    const why = failed[row.number] && h("span", { class: "badge bad", title: failed[row.number] }, "does not open");
    return [...named, isOpen, why].filter(Boolean);
  }

  /** @param {any} row */
  function fileOf(row) {
    const told = details.get(row.number);
    if (!told) return NONE;
    const link = h("a", { class: "cell-link", href: `/hosted/models/${tag}:${row.number}/download`, download: told.file, title: `SHA-256 ${told.sha256}` }, told.file);
    return h("span", { class: "hosted-file" }, link, h("span", { class: "hint" }, `${[told.library ?? told.format, told.library_version].filter(Boolean).join(" ")}, ${bytes(told.size_bytes)}`), row.description && h("span", { class: "hint" }, row.description));
  }

  /** @param {Record<string, any>} metrics */
  function metricsText(metrics) {
    const told = Object.entries(metrics).filter(([, value]) => typeof value === "number");
    const text = told.slice(0, MOST_METRICS).map(([name, value]) => `${name} ${number(value)}`).join(", ");
    return text ? text + (told.length > MOST_METRICS ? ", …" : "") : NONE;
  }

  /** Who gets which version. */
  function sharesView() {
    const { weights, shadow, shadow_share: part } = entry.traffic;
    const bars = Object.entries(weights).map(([alias, weight]) => h("span", { class: alias === DEFAULT ? "is-default" : null, style: { flexGrow: String(weight) } }));
    const told = Object.entries(weights).map(([alias, weight]) => `${percent(weight, 0)} ${alias} (v${entry.aliases[alias]})`);
    if (shadow) told.push(`${shadow} (v${entry.aliases[shadow]}) is shown ${percent(part, 0)}, and answers nobody`);
    const end = isAdmin && h("button", { type: "button", class: "button small", onclick: endTrial }, icon("stop"), "End the trial");
    return h("div", { class: "card-body hosted-shares" }, h("div", { class: "hosted-bar", "aria-hidden": "true" }, ...bars), h("div", { class: "row spread" }, h("p", null, "Of the requests that name no version: ", told.join(", ")), end));
  }

  /** @param {any} row */
  function actionsOf(row) {
    const serving = entry.aliases[DEFAULT];
    const isServing = row.number === serving;
    const button = (/** @type {string} */ label, /** @type {() => void} */ run, isPlain = true) => h("button", { type: "button", class: isPlain ? "button ghost small" : "button small", onclick: run }, label);
    return h(
      "span",
      { class: "row end" },
      isAdmin && !isServing && button("Let it serve…", () => letServe(row), false),
      isAdmin && !isServing && serving !== undefined && button("Trial…", () => tryOut(row)),
      !isServing && serving !== undefined && button("Compare", () => compare(String(serving), String(row.number))),
      isAdmin && square("edit", `Name version ${row.number}`, () => nameIt(row)),
      isAdmin && square("trash", `Delete version ${row.number}`, () => remove(row)),
    );
  }

  /** @param {string} name @param {string} label @param {() => void} run */
  function square(name, label, run) {
    return h("button", { type: "button", class: "button ghost small square", "aria-label": label, title: label, onclick: run }, icon(name));
  }

  /** @param {number} version */
  function said(version) {
    const found = entry.versions.find((/** @type {any} */ one) => one.number === version);
    if (!found) return `version ${version}`;
    const measured = metricsText(found.metrics);
    return `version ${version} (published ${ago(found.created_at)}${measured === NONE ? "" : `, ${measured}`})`;
  }

  /** What serves goes back to what did before; the dialog says to which. */
  async function rollBack() {
    const [current, before] = [entry.aliases[DEFAULT], entry.rollbacks[DEFAULT]];
    const kept = entry.traffic ? " Other aliases keep their shares of the requests." : "";
    const text = `Now version ${current} answers all who name no version. From then on ${said(before)} does, which served before it. Requests under way end as they began, and version ${current} stays: it can serve again.${kept}`;
    if (!(await kit.dialog.ask({ title: `Roll ${tag} back to version ${before}?`, text, confirm: `Roll back to v${before}` }))) return;
    // With what serves now: a click that arrives twice goes back once.
    await attempt(() => kit.api.send("POST", `${model}/aliases/${DEFAULT}/rollback`, { current }), `Version ${before} serves again`);
  }

  /** @param {any} row */
  function letServe(row) {
    const serving = entry.versions.find((/** @type {any} */ one) => one.number === entry.aliases[DEFAULT]);
    const both = Object.keys(row.metrics).filter((name) => typeof row.metrics[name] === "number" && typeof serving?.metrics[name] === "number");
    const gate = h("select", { class: "input", id: uniqueId("gate") }, h("option", { value: "" }, "In any case"), ...both.flatMap((name) => ["higher", "lower"].map((better) => h("option", { value: `${better} ${name}` }, `Only if its ${name} is as good: ${better} is better (${number(row.metrics[name])} against ${number(serving.metrics[name])})`))));
    const { weights = {}, shadow } = entry.traffic ?? {};
    const isTried = [...Object.keys(weights), shadow].some((alias) => alias !== DEFAULT && entry.aliases[alias] === row.number);
    const text = `From now on version ${row.number} answers all who name no version${serving ? `, in the place of version ${serving.number}` : ""}.${isTried ? " Its trial is over." : ""} It can be rolled back.`;
    form({
      title: `Let version ${row.number} serve?`,
      body: [h("p", { class: "muted" }, text), both.length > 0 && h("div", { class: "field" }, h("label", { for: gate.id }, "Condition"), gate)],
      confirm: "Let it serve",
      run: async () => {
        const [direction, ...name] = gate.value.split(" ");
        if (direction) await kit.api.send("POST", `${model}/promote`, { version: row.number, metric: name.join(" "), direction });
        else await point(DEFAULT, row.number);
        if (isTried) await kit.api.send("DELETE", `${model}/traffic`);
      },
      done: `Version ${row.number} serves`,
    });
  }

  /** A canary, or a shadow. @param {any} row */
  function tryOut(row) {
    const named = Object.keys(entry.aliases).find((alias) => alias !== DEFAULT && entry.aliases[alias] === row.number) ?? CANARY;
    const how = h("select", { class: "input", id: uniqueId("how") }, h("option", { value: "canary" }, "It answers a share of the requests"), h("option", { value: "shadow" }, "It is shown a share of the requests, and answers nobody"));
    const share = h("input", { class: "input", id: uniqueId("share"), type: "number", min: 1, max: 100, step: 1, value: entry.traffic?.weights[named] ? Math.round(entry.traffic.weights[named] * 100) : 10, required: true });
    const told = h("p", { class: "muted", "aria-live": "polite" });
    const tell = () => {
      const rest = 100 - Number(share.value);
      const answers = how.value === "canary" ? `Version ${row.number} answers ${share.value}% of the requests that name no version, version ${entry.aliases[DEFAULT]} the other ${rest}%.` : `Version ${entry.aliases[DEFAULT]} goes on answering all. Version ${row.number} is asked too for ${share.value}% of them; what it says is compared and counted.`;
      const moved = entry.aliases[named] === row.number ? "" : ` The alias ${named} is pointed to it${entry.aliases[named] === undefined ? "" : `; now it is version ${entry.aliases[named]}`}.`;
      const before = entry.traffic ? " This takes the place of the trial under way." : "";
      fill(told, answers + moved + before);
    };
    [how, share].forEach((one) => one.addEventListener("input", tell));
    tell();
    form({
      title: `Try version ${row.number} out`,
      body: [h("div", { class: "field" }, h("label", { for: how.id }, "How"), how), h("div", { class: "field" }, h("label", { for: share.id }, "Share of the requests, %"), share), told],
      confirm: "Begin",
      run: async () => {
        const part = Number(share.value) / 100;
        if (entry.aliases[named] !== row.number) await point(named, row.number);
        const asked = how.value === "canary" ? { weights: { [DEFAULT]: 1 - part, [named]: part } } : { weights: { [DEFAULT]: 1 }, shadow: named, shadow_share: part };
        return kit.api.send("PUT", `${model}/traffic`, asked);
      },
      done: `Version ${row.number} is tried out`,
    });
  }

  async function endTrial() {
    const text = `Version ${entry.aliases[DEFAULT]} answers all requests that name no version. The aliases stay.`;
    if (!(await kit.dialog.ask({ title: "End the trial?", text, confirm: "End it" }))) return;
    await attempt(() => kit.api.send("DELETE", `${model}/traffic`), `Version ${entry.aliases[DEFAULT]} answers all`);
  }

  /** @param {any} row */
  function nameIt(row) {
    const field = h("input", { class: "input mono", id: uniqueId("alias"), required: true, pattern: ALIAS, maxlength: 63, placeholder: CANARY, autocomplete: "off", spellcheck: "false" });
    const hint = h("p", { class: "hint" }, "Lower-case letters, digits and dashes. Requests may ask for it; one of that name is moved here.");
    form({
      title: `An alias for version ${row.number}`,
      body: [h("div", { class: "field" }, h("label", { for: field.id }, "Alias"), field), hint],
      confirm: "Name it",
      run: () => point(field.value, row.number),
      done: () => `${field.value} is version ${row.number}`,
    });
    field.focus();
  }

  /** @param {any} row */
  async function remove(row) {
    const named = Object.keys(entry.aliases).filter((alias) => entry.aliases[alias] === row.number);
    if (named.length) return void kit.toast(`Version ${row.number} is ${named.join(" and ")}`, { kind: "warn", detail: `Point ${named.length > 1 ? "these aliases" : "this alias"} to another version first; then it can be deleted.` });
    const text = `${details.get(row.number)?.file ?? "Its file"} is deleted, for everybody, and nobody can ask for version ${row.number} any more. It cannot be brought back, and its number is not given again.`;
    if (!(await kit.dialog.ask({ title: `Delete version ${row.number} of ${tag}?`, text, confirm: "Delete", danger: true }))) return;
    await attempt(() => kit.api.send("DELETE", `/hosted/models/${tag}:${row.number}`), `Version ${row.number} was deleted`);
  }

  /** A dialog that does something when it is sent. @param {{title: string, body: any[], confirm: string, run: () => Promise<any>, done: string | (() => string)}} options */
  function form({ title, body, confirm, run, done }) {
    const yes = h("button", { type: "submit", class: "button primary" }, confirm);
    const dialog = kit.dialog.open({ title, body, actions: [kit.dialog.cancelButton(), yes] });
    dialog.querySelector("form")?.addEventListener("submit", async (/** @type {Event} */ event) => {
      event.preventDefault();
      dialog.close("yes");
      await attempt(run, typeof done === "string" ? done : done());
    });
  }

  /** @param {string} alias @param {number} version */
  function point(alias, version) {
    return kit.api.send("PUT", `${model}/aliases/${alias}`, { version });
  }

  /** @param {() => Promise<any>} change @param {string} done */
  async function attempt(change, done) {
    await kit.attempt(change, done);
    await changed();
  }

  return { element, update, rollBack };
}
