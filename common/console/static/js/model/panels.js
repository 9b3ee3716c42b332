// @ts-check
/**
 * Panels of plugins: modules that show a model in a way of their own.
 *
 * The default export of a panel is a function of what was asked and answered, and of the kit; it returns a tab before
 * the table of the answer, or null where this answer is none for it. The export `page` is a function of the model, and
 * of the kit; it returns a tab of the model's page, before the form. A panel has either or both, or neither: then it is
 * a part of others, which get it by `await kit.part("name.js")`. It must not import anything: addresses change.
 */

import * as api from "../api.js";
import * as blocks from "../blocks.js";
import { caller, may } from "../caller.js";
import { chart, worldMap } from "../chart.js";
import { rowsOf } from "../data/csv.js";
import * as dialog from "../dialog.js";
import * as dom from "../dom.js";
import * as format from "../format.js";
import { poll } from "../poll.js";
import { table } from "../table.js";
import { tabs } from "../tabs.js";
import { attempt, copyLink, toast, toastError } from "../toast.js";
import * as uploads from "../shared/upload.js";
import { download } from "./download.js";
import { csvOf } from "./flat.js";
import { follow, jobIdOf } from "./follow.js";
import { curlOf, pythonOf } from "./snippets.js";

/** @typedef {{title: string, element: HTMLElement, onShow?: () => void, onHide?: () => void, instead?: string}} Tab `instead` names a tab of the page whose place it takes, as `versions` */
/** @typedef {{answer: any, body: any, query: Record<string, any>, model: any}} Given */
/** @typedef {{id: string, title: string, panel: HTMLElement, onShow?: () => void, onHide?: () => void, instead?: string}} Made */

/** Of the answer that is shown now. @type {import("../chart.js").Chart[]} */
let drawn = [];

/** What a panel may use. `chart` may be called before its place stands in the page: it is drawn once that is seen. */
const KIT = {
  api, attempt, blocks, caller, chart: chartOnceSeen, copyLink, csvOf, curlOf, dialog, dom, download, follow, format, jobIdOf, may, poll,
  pythonOf, rowsOf, styles, table, tabs, toast, toastError, uploads, worldMap,
};

/** The same for what goes with the answer. */
const KIT_OF_ANSWER = {
  ...KIT,
  async chart(/** @type {HTMLElement} */ place, /** @type {import("../chart.js").Describe} */ describe, /** @type {{label: string}} */ options) {
    const made = await chartOnceSeen(place, describe, options);
    drawn.push(made);
    return made;
  },
};

/**
 * The tabs of an answer.
 * @param {string[]} addresses @param {Given} given
 * @returns {Promise<Made[]>}
 */
export function panelsFor(addresses, given) {
  drawn.forEach((one) => one.dispose());
  drawn = [];
  return madeOf(addresses, "panel", (module) => module.default?.(given, withParts(KIT_OF_ANSWER, addresses)));
}

/**
 * The tabs of a model's page.
 * @param {string[]} addresses @param {any} model as `GET /models` tells it
 * @returns {Promise<Made[]>}
 */
export function pagePanels(addresses, model) {
  return madeOf(addresses, "page", (module) => module.page?.({ model }, withParts(KIT, addresses)));
}

/** @param {string[]} addresses @param {string} prefix @param {(module: any) => Tab | null | undefined | Promise<Tab | null>} make @returns {Promise<Made[]>} */
async function madeOf(addresses, prefix, make) {
  const made = await Promise.all(
    addresses.map(async (address) => {
      try {
        const tab = await make(await import(address));
        // By its file: the open tab stands in the address, and other panels may come.
        const id = `${prefix}-${address.split("/").at(-1)?.replace(/\.m?js$/, "")}`;
        return tab ? { id, title: tab.title, panel: tab.element, onShow: tab.onShow, onHide: tab.onHide, instead: tab.instead } : null;
      } catch (error) {
        toastError(error);
        return null;
      }
    }),
  );
  return made.filter((one) => one !== null);
}

/**
 * The kit, and the plugin's other panels as modules.
 * @template {object} Kit @param {Kit} kit @param {string[]} addresses
 */
function withParts(kit, addresses) {
  /** @param {string} name @returns {Promise<any>} */
  function part(name) {
    const address = addresses.find((one) => one.endsWith(`/${name}`));
    if (!address) throw new Error(`Plugin(panels=…) does not name ${name}`);
    return import(address);
  }
  return { ...kit, part };
}

/** Taken already. @type {Set<string>} */
const styled = new Set();

/** Rules for what the panel makes, once a page; a sheet made by a script is what the policy allows. @param {string} css */
function styles(css) {
  if (styled.has(css)) return;
  styled.add(css);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

/** @param {HTMLElement} place @param {import("../chart.js").Describe} describe @param {{label: string}} options */
async function chartOnceSeen(place, describe, options) {
  await new Promise((resolve) => {
    const seen = new ResizeObserver(() => {
      if (!place.clientWidth || !place.clientHeight) return;
      seen.disconnect();
      resolve(undefined);
    });
    seen.observe(place);
  });
  return chart(place, describe, options);
}
