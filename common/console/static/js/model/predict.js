// @ts-check
/** Asking a model: the form, Run now or Queue, and the answer. */

import { ApiError, get, isAborted, send } from "../api.js";
import { emptyState, errorState, skeleton } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { copyLink, toast } from "../toast.js";
import { answerView, nothingYet } from "./answer.js";
import { estimator } from "./estimate.js";
import { follow, jobIdOf } from "./follow.js";
import { formOf } from "./form.js";
import { panelsFor } from "./panels.js";
import { fragmentOf, remember, valuesOf } from "./permalink.js";

/**
 * @param {{name: string, panels: string[]}} model
 * @param {import("./spec.js").Route} route
 * @param {string | null} estimatePath
 * @returns {HTMLElement}
 */
export function predictView(model, route, estimatePath) {
  const place = h("div", { class: "answer", role: "region", "aria-label": "Answer" });
  const takes = h("span", { class: "hint", role: "status" });
  const tellTime = estimator(takes, estimatePath, () => form.values({ quiet: true })?.body ?? null);
  const form = formOf(route.fields, { onChange: tellTime });
  const run = h("button", { type: "submit", class: "button primary", title: "Ctrl and Enter" }, icon("play"), "Run now");
  const queue = h("button", { type: "button", class: "button", title: "Answer by a job, which this page follows" }, icon("clock"), "Queue");
  const stop = h("button", { type: "button", class: "button", hidden: true }, icon("stop"), "Stop");
  const link = h("button", { type: "button", class: "button ghost square", "aria-label": "Copy a link to these inputs", title: "Copy a link to these inputs" }, icon("link"));
  /** @type {AbortController | null} */
  let running = null;
  /** @type {(() => void) | null} */
  let unfollow = null;

  const element = h("form", { class: "form", novalidate: true }, examples(), form.element, h("div", { class: "form-actions" }, run, queue, stop, link, takes));
  element.addEventListener("submit", (event) => (event.preventDefault(), start(false)));
  queue.addEventListener("click", () => start(true));
  stop.addEventListener("click", () => running?.abort());
  link.addEventListener("click", linkToInputs);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      start(false);
    }
  });

  function examples() {
    const names = Object.keys(route.examples);
    if (!names.length) return null;
    const buttons = names.map((name) =>
      h("button", { type: "button", class: "button small", onclick: () => form.set({ body: route.examples[name] }) }, name),
    );
    return h("div", { class: "row", role: "group", "aria-label": "Examples" }, h("span", { class: "hint" }, "Examples"), ...buttons);
  }

  /** @param {boolean} isQueued */
  async function start(isQueued) {
    if (running) return;
    const values = form.values();
    if (!values) return;
    unfollow?.();
    remember(values);
    const address = addressOf(values.query);
    const asked = { url: location.origin + address, body: values.body, isQueued };
    const current = new AbortController();
    running = current;
    busy(true);
    fill(place, skeleton(6));
    const from = performance.now();
    try {
      const headers = isQueued ? { Prefer: "respond-async" } : {};
      const response = await send("POST", address, values.body, { headers, signal: current.signal, as: "response" });
      if (response.status === 202) accepted(jobIdOf(response), asked, values);
      else {
        const answer = await response.json();
        const seconds = (performance.now() - from) / 1000;
        await show({ answer, seconds, headers: response.headers, asked }, values);
      }
    } catch (error) {
      failed(error, isQueued);
    } finally {
      running = null;
      busy(false);
    }
  }

  /** @param {string} jobId @param {import("./snippets.js").Asked} asked @param {import("./form.js").Values} values */
  function accepted(jobId, asked, values) {
    unfollow = follow(place, jobId, {
      async onEnd(job) {
        if (job.state !== "succeeded") return;
        try {
          const response = await get(`/jobs/${jobId}/result`, { as: "response" });
          const seconds = (Date.parse(job.finished) - Date.parse(job.started)) / 1000;
          await show({ answer: await response.json(), seconds, headers: response.headers, asked }, values);
        } catch (error) {
          failed(error, true);
        }
      },
    });
  }

  /** @param {import("./answer.js").Answered} answered @param {import("./form.js").Values} values */
  async function show(answered, values) {
    const panels = await panelsFor(model.panels, { ...values, answer: answered.answer, model });
    fill(place, answerView(answered, model.name, panels));
  }

  /** @param {unknown} error @param {boolean} isQueued */
  function failed(error, isQueued) {
    if (isAborted(error)) {
      fill(place, emptyState("Stopped", "The server gives up what nobody waits for."));
      return;
    }
    if (error instanceof ApiError && error.status === 422) {
      form.showErrors(error);
      fill(place, emptyState("The inputs are not accepted", "What to change stands at the fields."));
      return;
    }
    fill(place, errorState(error, () => start(isQueued)));
  }

  /** @param {boolean} isBusy */
  function busy(isBusy) {
    run.disabled = isBusy;
    queue.disabled = isBusy;
    stop.hidden = !isBusy;
    place.setAttribute("aria-busy", String(isBusy));
  }

  /** @param {Record<string, any>} query */
  function addressOf(query) {
    const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
    return text ? `${route.path}?${text}` : route.path;
  }

  async function linkToInputs() {
    const values = form.values({ quiet: true });
    if (!values) return void toast("Something is missing in the form", { kind: "warn" });
    const fragment = fragmentOf(values);
    if (!fragment) return void toast("These inputs are too long for a link", { kind: "warn" });
    remember(values);
    await copyLink();
  }

  const given = valuesOf(location.hash);
  if (given) form.set(given);
  addEventListener("hashchange", () => {
    const other = valuesOf(location.hash);
    if (other) form.set(other);
  });
  nothingYet(place);
  tellTime();
  return h("div", { class: "ask" }, h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Inputs")), h("div", { class: "card-body" }, element)), h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Answer")), h("div", { class: "card-body" }, place)));
}
