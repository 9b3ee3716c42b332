// @ts-check
/** The list of models: state, what each can do, and what serves. */

import { get } from "../api.js";
import { emptyState, errorState, stateBadge, tag } from "../blocks.js";
import { byId, fill, h } from "../dom.js";
import { NONE, plural } from "../format.js";
import { poll } from "../poll.js";
import { table } from "../table.js";

const EVERY_MS = 10_000;

const rows = table(
  [
    { title: "Model", isHead: true, sortBy: ({ model }) => model.title, cell: ({ model }) => h("span", { class: "cell-title" }, h("a", { class: "cell-link", href: `/console/models/${model.name}` }, model.title), h("span", { class: "mono" }, model.name), model.description && h("span", { class: "cell-about" }, model.description)) },
    { title: "State", sortBy: ({ model }) => model.state, cell: ({ model }) => stateBadge(model.state) },
    { title: "Serves", cell: ({ versions }) => servesOf(versions) },
    { title: "Can", cell: ({ model }) => h("span", { class: "row" }, ...abilities(model.routes).map((one) => tag(one))) },
    { title: "Note", cell: ({ model }) => (model.reason ? h("span", { class: "reason" }, model.reason) : h("span", { class: "muted" }, NONE)) },
  ],
  {
    key: ({ model }) => model.name,
    caption: "Models",
    empty: () => emptyState("No models are served here", "Add a package to models/, or name those to serve in SERVICE_MODEL."),
    sort: { column: 0 },
  },
);

/** @param {any[]} versions entries of the registry that are the model's */
function servesOf(versions) {
  const own = versions.find((one) => one.isOwn);
  if (own) return own.serving === null ? plural(own.count, "version") : `v${own.serving}`;
  if (versions.length) return plural(versions.length, "hosted model");
  return h("span", { class: "muted", title: "Nothing was published: it answers with what it brings along" }, NONE);
}

/** @param {string[]} routes */
function abilities(routes) {
  const can = (/** @type {string} */ verb) => routes.some((route) => route.startsWith("POST ") && route.endsWith(`/${verb}`));
  return [can("predict") && "predict", can("train") && "train", can("estimate") && "estimate"].filter((one) => one !== false);
}

poll(
  async (signal) => {
    const [models, registry] = await Promise.all([get("/models", { signal }), get("/registry", { signal }).catch(() => [])]);
    rows.update(
      models.map((/** @type {any} */ model) => ({
        model: { name: model.name, title: model.title, description: model.description, state: model.state, reason: model.reason, routes: model.routes },
        versions: registry
          .filter((/** @type {any} */ one) => one.model === model.name || one.model.startsWith(`${model.name}.`))
          .map((/** @type {any} */ one) => ({ isOwn: one.model === model.name, serving: one.aliases.default ?? null, count: one.count })),
      })),
    );
    byId("models").classList.toggle("is-without-notes", !models.some((/** @type {any} */ model) => model.reason));
    if (rows.element.parentElement !== byId("models")) fill(byId("models"), rows.element);
  },
  {
    everyMs: EVERY_MS,
    onError(error) {
      if (!rows.element.isConnected) fill(byId("models"), errorState(error));
    },
  },
);
