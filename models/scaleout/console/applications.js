// @ts-check
/** Runs of Spark applications: which are under way, and one of them as it goes on. */

const LIST_MS = 10_000;
const RUN_MS = 3000;
const AT_ONCE = 12;
const PATH = "/scaleout/applications";
const TONES = /** @type {Record<string, string>} */ ({ running: "running", waiting: "queued", ended: "done", silent: "lost" });

/** @param {{model: any}} _ @param {any} kit */
export async function page(_, kit) {
  const { fill, h, setText } = kit.dom;
  const [{ RULES, ...tools }, { timelineView }] = await Promise.all([kit.part("curve.js"), kit.part("timeline.js")]);
  kit.styles(RULES);
  let chosen = new URLSearchParams(location.search).get("run") ?? "";
  /** Pages of the list that are shown. */
  let pages = 1;
  /** @type {{stop: () => void, now: () => void}[]} */
  let polls = [];

  const list = runsTable(kit, () => chosen, choose);
  const more = h("button", { type: "button", class: "button small", hidden: true, onclick: () => ((pages += 1), polls[0]?.now()) }, "Older ones");
  const runs = h("div", null, kit.blocks.skeleton(5));
  const heading = h("h2", null, "A run");
  const badge = h("span", { role: "status" });
  const place = h("div", null, kit.blocks.skeleton(6));
  const side = h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Runs")), runs);
  const main = h("section", { class: "card", "aria-label": "The run that is chosen" }, h("div", { class: "card-head" }, heading, badge), h("div", { class: "card-body" }, place));
  const element = h("div", { class: "ask scaleout" }, side, main);
  let view = timelineView(kit, tools);

  /** @param {AbortSignal} signal */
  async function readList(signal) {
    try {
      const [open, ...known] = await Promise.all([kit.api.get(`${PATH}?under_way=true&limit=100`, { signal }), ...(await newest(signal))]);
      const all = new Map([...open.applications, ...known.flatMap((one) => one.applications)].map((one) => [one.execution_id, one]));
      more.hidden = known.at(-1)?.next === null;
      if (!all.size) {
        fill(runs, kit.blocks.emptyState("No run is known yet", "A listener in the driver tells of runs as they go on; “atoll scaleout import” and “atoll scaleout demo” bring in those that have ended."));
        fill(place, kit.blocks.emptyState("Nothing to look at yet"));
        return;
      }
      list.update([...all.values()]);
      if (!runs.contains(list.element)) fill(runs, list.element, h("div", { class: "card-body" }, more));
      if (!chosen) choose([...all.keys()][0], false);
    } catch (error) {
      if (!signal.aborted) fill(runs, kit.blocks.errorState(error));
      throw error;
    }
  }

  /** The first pages, one after the other, since each says where the next begins. @param {AbortSignal} signal */
  async function newest(signal) {
    const found = [];
    for (let next = ""; found.length < pages && next !== null; ) {
      const page = await kit.api.get(`${PATH}?limit=${AT_ONCE}${next && `&before=${encodeURIComponent(next)}`}`, { signal });
      found.push(page);
      next = page.next;
    }
    return found;
  }

  /** @param {string} id @param {boolean} [byHand] */
  function choose(id, byHand = true) {
    chosen = id;
    list.refresh();
    fill(place, kit.blocks.skeleton(6));
    view = timelineView(kit, tools);
    if (byHand) {
      const address = new URL(location.href);
      address.searchParams.set("run", id);
      history.replaceState(null, "", address);
    }
    polls[1]?.stop();
    if (polls.length) polls[1] = kit.poll(readRun, { everyMs: RUN_MS });
    if (byHand) main.scrollIntoView({ block: "nearest" });
  }

  /** @param {AbortSignal} signal */
  async function readRun(signal) {
    if (!chosen) return;
    const id = chosen;
    try {
      const detail = await kit.api.get(`${PATH}/${encodeURIComponent(id)}`, { signal });
      if (id !== chosen) return;
      const { context, execution_id } = detail.application;
      // Names of runs often begin with it.
      const isNamed = Boolean(context.algorithm) && execution_id.startsWith(context.algorithm);
      setText(heading, isNamed ? execution_id : `${context.algorithm || "A run"}: ${execution_id}`);
      fill(badge, stateBadge(detail.state, kit));
      view.update(detail, Date.now() / 1000);
      if (!place.contains(view.element)) fill(place, view.element);
      // What has ended changes no more.
      return detail.state === "running" || detail.state === "waiting";
    } catch (error) {
      if (id === chosen && !signal.aborted) {
        fill(badge);
        fill(place, kit.blocks.errorState(error, () => choose(id)));
      }
      if (/** @type {any} */ (error).status === 404) return false;
      throw error;
    }
  }

  return {
    title: "Runs",
    element,
    onShow() {
      if (!polls.length) polls = [kit.poll(readList, { everyMs: LIST_MS }), kit.poll(readRun, { everyMs: RUN_MS })];
    },
    onHide() {
      polls.forEach((one) => one.stop());
      polls = [];
    },
  };
}

/** @param {string} state @param {any} kit */
function stateBadge(state, kit) {
  return kit.blocks.stateBadge(TONES[state] ?? state, state === "silent" ? "end unknown" : state);
}

/** @param {any} kit @param {() => string} chosen @param {(id: string) => void} choose */
function runsTable(kit, chosen, choose) {
  const { h } = kit.dom;
  const { ago, bytes, duration } = kit.format;
  /** @type {any[]} */
  let rows = [];
  const timeOf = (/** @type {any} */ run) => (run.runtime_s !== null ? duration(run.runtime_s) : run.start_s === null ? "" : `began ${ago(new Date(run.start_s * 1000))}`);
  const about = (/** @type {any} */ run) => [run.algorithm || run.signature, run.data_size_mb !== null && bytes(run.data_size_mb * 1e6)].filter(Boolean).join(" · ");
  const button = (/** @type {any} */ run) => h("button", { type: "button", class: "run-name", "aria-pressed": String(run.execution_id === chosen()), onclick: () => choose(run.execution_id) }, run.execution_id);
  kit.styles(`
    .run-name { padding: 0; border: 0; background: none; color: inherit; font-weight: 560; text-align: left; overflow-wrap: anywhere; cursor: pointer; }
    .run-name:hover { color: var(--accent-strong); text-decoration: underline; }
    .run-name[aria-pressed="true"] { color: var(--accent-strong); }
    tr:has(.run-name[aria-pressed="true"]) > * { background: var(--accent-soft); }
    tr:has(.run-name[aria-pressed="true"]) .cell-title > :nth-child(2) { color: var(--text-muted); }
  `);
  const made = kit.table(
    [
      { title: "Run", isHead: true, cell: (/** @type {any} */ run) => h("span", { class: "cell-title" }, button(run), h("span", null, about(run))) },
      { title: "State", isNumber: true, cell: (/** @type {any} */ run) => h("span", { class: "cell-title" }, h("span", null, stateBadge(run.state, kit)), h("span", null, timeOf(run))) },
    ],
    { key: (/** @type {any} */ run) => run.execution_id, caption: "Runs, those under way first", empty: () => kit.blocks.emptyState("No runs"), version: (/** @type {any} */ run) => JSON.stringify([run, run.execution_id === chosen()]) },
  );
  return {
    element: made.element,
    update: (/** @type {any[]} */ found) => made.update((rows = found)),
    refresh: () => rows.length && made.update(rows),
  };
}
