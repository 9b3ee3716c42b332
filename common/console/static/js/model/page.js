// @ts-check
/** The page of one model, whichever it is: made of what the API says of it. */

import { get } from "../api.js";
import { emptyState, errorState, notice, stateBadge } from "../blocks.js";
import { caller, may } from "../caller.js";
import { byId, fill, h, setText } from "../dom.js";
import { tabs } from "../tabs.js";
import { aboutView } from "./about.js";
import { pagePanels } from "./panels.js";
import { predictView } from "./predict.js";
import { pathOf, routeOf } from "./spec.js";
import { trainingView } from "./training.js";
import { versionsView } from "./versions.js";

async function show() {
  const name = decodeURIComponent(location.pathname.split("/").at(-1) ?? "");
  const place = byId("model");
  try {
    const asked = get("/models");
    const [models, params, who, document_] = await Promise.all([asked, get("/params"), caller(), asked.then((found) => described(found, name))]);
    const model = models.find((/** @type {any} */ one) => one.name === name);
    if (!model) {
      const back = h("a", { class: "button", href: "/console/models" }, "To the models");
      fill(place, emptyState(`There is no model ${name}`, `This server has ${models.map((/** @type {any} */ one) => one.name).join(", ") || "none"}.`, back));
      return;
    }
    setText(byId("title"), model.title);
    if (model.description) byId("title").after(h("p", { class: "lead" }, model.description));
    document.title = `${model.title} · Atoll`;
    fill(byId("state"), stateBadge(model.state));
    const inputs = params.find((/** @type {any} */ one) => one.model === name)?.inputs ?? [];
    const panels = await pagePanels(model.panels, model);
    fill(place, model.reason && notice(model.state === "unavailable" ? "bad" : "info", `This model is ${model.state}`, model.reason), partsOf(model, document_, inputs, may(who, "train"), panels));
  } catch (error) {
    fill(place, errorState(error, show));
  }
}

/** What the API says of a model's own routes (OpenAPI); null where there is no such model. @param {any[]} models @param {string} name */
function described(models, name) {
  return models.some((one) => one.name === name) ? get(`/openapi.json?model=${encodeURIComponent(name)}`) : null;
}

/** @param {any} model @param {any} description OpenAPI @param {any[]} inputs @param {boolean} mayTrain @param {import("./panels.js").Made[]} panels */
function partsOf(model, description, inputs, mayTrain, panels) {
  const route = (/** @type {string} */ verb) => {
    const path = pathOf(model.routes, verb);
    return path === null ? null : routeOf(description, path, inputs);
  };
  const versions = versionsView(model.name);
  const predict = route("predict");
  const training = mayTrain ? route("train") : null;
  // A link to inputs leads to their form.
  const isLinked = location.hash.startsWith("#in=");
  const parts = [
    ...panels,
    predict && { id: "predict", title: "Predict", panel: predictView(model, predict, pathOf(model.routes, "estimate")) },
    { id: "versions", title: "Versions", panel: versions.element, onShow: versions.refresh },
    training && { id: "train", title: "Train", panel: trainingView(training, versions.refresh) },
    { id: "about", title: "About", panel: h("div", { class: "stack" }, aboutView(model)) },
  ].filter((part) => part !== null && !panels.some(({ instead }) => instead === part.id));
  return tabs(/** @type {any} */ (parts), { label: `Parts of ${model.title}`, first: isLinked ? "predict" : "" });
}

show();
