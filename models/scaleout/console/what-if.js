// @ts-check
/** What if it ran with so many executors: asked about what was recorded, answered as the question is changed. */

/** @typedef {Record<string, any>} Context as `GET /scaleout/contexts` tells it */
/** @typedef {{body: Record<string, any>, price: number | null}} Asked `price` of an executor-hour */

const SETTLED_MS = 300;
const LOOK_AGAIN_MS = 10_000;
const LINK = "#ask=";
const PATH = "/scaleout/predict";

/** The curve beside the table of an answer. @param {{answer: any, body: any}} given @param {any} kit */
export default async function panel({ answer, body }, kit) {
  if (!answer.curve?.length) return null;
  const { curveView } = await kit.part("curve.js");
  const view = curveView(kit);
  view.update({ answer, body, price: null });
  return { title: "Curve", element: view.element };
}

/** @param {{model: any}} _ @param {any} kit */
export async function page(_, kit) {
  const { fill, h } = kit.dom;
  const [{ curveView }, { questionForm, questionOf }] = await Promise.all([kit.part("curve.js"), kit.part("question.js")]);
  const element = h("div", null, kit.blocks.skeleton(8));
  let isThere = false;
  /** @type {{stop: () => void} | null} */
  let looking = null;

  async function look() {
    try {
      const contexts = await kit.api.get("/scaleout/contexts");
      const linked = askedOf(location.hash);
      isThere = contexts.length > 0 || linked !== null;
      if (isThere) {
        const first = linked ?? { body: questionOf(contexts[0]), price: null };
        const make = (/** @type {any} */ options) => questionForm(contexts, kit, { ...options, more: [first.body.algorithm].filter(Boolean) });
        fill(element, asking(make, first, curveView(kit), kit));
      } else if (!element.querySelector(".state:not(.is-error)")) fill(element, nothingYet(kit));
    } catch (error) {
      fill(element, kit.blocks.errorState(error));
      throw error;
    }
    // Runs may be brought in meanwhile.
    return !isThere;
  }

  return {
    title: "What if",
    element,
    onShow() {
      if (!isThere) looking ??= kit.poll(look, { everyMs: LOOK_AGAIN_MS });
    },
    onHide() {
      looking?.stop();
      looking = null;
    },
  };
}

/** @param {any} kit */
function nothingYet(kit) {
  const { h } = kit.dom;
  const command = kit.blocks.code(".venv/bin/atoll scaleout demo", { label: "Command that brings in carried runs" });
  const own = h("p", { class: "hint" }, "Your own runs come from Spark’s event logs, by “atoll scaleout import”, or from a listener in the driver. They appear here by themselves.");
  return kit.blocks.emptyState("No runs are known yet", "Atoll learns from recorded runs, and carries some of real Spark to try it with. Beside the server, call:", command, own);
}

/** What a link asks. @param {string} fragment @returns {Asked | null} null where it is of something else, or broken */
export function askedOf(fragment) {
  if (!fragment.startsWith(LINK)) return null;
  try {
    const { body, price } = JSON.parse(decodeURIComponent(fragment.slice(LINK.length)));
    return body && typeof body === "object" ? { body, price: typeof price === "number" ? price : null } : null;
  } catch {
    return null;
  }
}

/** @param {(options: any) => any} make gives the form @param {Asked} first @param {any} view @param {any} kit */
function asking(make, first, view, kit) {
  const { fill, h, icon, setText } = kit.dom;
  /** @type {number | undefined} */
  let timer;
  /** @type {AbortController | null} */
  let running = null;
  const form = make({ onSend: answer, onChange: () => (clearTimeout(timer), (timer = setTimeout(answer, SETTLED_MS))) });
  const state = h("span", { class: "hint", role: "status" });
  const request = h("div");
  const place = h("div", { class: "stack", role: "region", "aria-label": "What it would take" }, kit.blocks.skeleton(6));

  async function answer() {
    clearTimeout(timer);
    const now = form.values();
    if (!now) return;
    running?.abort();
    const current = (running = new AbortController());
    const from = performance.now();
    setText(state, "Asking…");
    try {
      const found = await kit.api.send("POST", PATH, now.body, { signal: current.signal });
      if (!place.contains(view.element)) fill(place, view.element, request);
      view.update({ answer: found, ...now });
      history.replaceState(null, "", location.pathname + location.search + LINK + encodeURIComponent(JSON.stringify(now)));
      fill(request, asRequest(now.body, kit));
      setText(state, `Answered in ${kit.format.duration((performance.now() - from) / 1000)}`);
    } catch (error) {
      if (current.signal.aborted) return;
      setText(state, "");
      const { status, errors, detail } = /** @type {any} */ (error);
      if (status !== 422) fill(place, kit.blocks.errorState(error, answer));
      else form.show(errors.length ? errors.map((/** @type {any} */ one) => [one.field.split(".").at(-1), one.message]) : [["", detail]]);
    }
  }

  addEventListener("hashchange", () => {
    const other = askedOf(location.hash);
    if (!other) return;
    form.set(other);
    answer();
  });
  form.set(first);
  answer();
  const link = h("button", { type: "button", class: "button small", onclick: () => kit.copyLink() }, icon("link"), "Copy link");
  const card = (/** @type {string} */ title, /** @type {HTMLElement | null} */ beside, /** @type {HTMLElement} */ body) =>
    h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, title), beside), h("div", { class: "card-body" }, body));
  return h("div", { class: "ask" }, card("Question", null, form.element), card("What it would take", h("span", { class: "row" }, state, link), place));
}

/** @param {Record<string, any>} body @param {any} kit */
function asRequest(body, kit) {
  const { h } = kit.dom;
  const sent = { url: location.origin + PATH, body };
  const both = [kit.blocks.code(kit.curlOf(sent), { wraps: true, label: "Request for curl" }), kit.blocks.code(kit.pythonOf(sent), { wraps: true, label: "Request in Python" })];
  return h("details", { class: "more" }, h("summary", null, "The same by curl and Python"), h("div", { class: "stack" }, ...both));
}
