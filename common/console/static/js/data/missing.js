// @ts-check
/** What is missing in a CSV file of a data set: a picture, and each column in numbers. */

import { get } from "../api.js";
import { emptyState, errorState, skeleton } from "../blocks.js";
import { chart } from "../chart.js";
import { cancelButton, open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { integer, percent, plural } from "../format.js";
import { table } from "../table.js";
import { missingness, rowsOf } from "./csv.js";

const MOST_ROWS = 50_000;
const BANDS = 60;

/** Whether a picture can be made of it. @param {string} file */
export function isCsv(file) {
  return /\.csv(\.gz)?$/.test(file);
}

/** @param {string} dataset @param {string} file */
export function showMissing(dataset, file) {
  const place = h("div", { class: "panel" }, skeleton(6));
  open({ title: `Missing values of ${dataset}/${file}`, body: [place], actions: [cancelButton("Close")], wide: true });
  read(dataset, file).then(
    (found) => show(place, found),
    (error) => fill(place, errorState(error)),
  );
}

/** @param {string} dataset @param {string} file */
async function read(dataset, file) {
  const answer = /** @type {Response} */ (await get(`/datasets/${dataset}/${file}`, { as: "response" }));
  const stream = file.endsWith(".gz") ? answer.body?.pipeThrough(/** @type {any} */ (new DecompressionStream("gzip"))) : answer.body;
  const text = await new Response(stream).text();
  return missingness(rowsOf(text, MOST_ROWS + 1), BANDS);
}

/** @param {HTMLElement} place @param {ReturnType<typeof missingness>} found */
async function show(place, found) {
  if (!found.rows) {
    fill(place, emptyState("There are no rows in it"));
    return;
  }
  const picture = h("div", { class: "chart" });
  const cut = found.rows === MOST_ROWS ? "The first " : "";
  const columns = table(
    [
      { title: "Column", isHead: true, sortBy: (one) => one.at, cell: (one) => one.name || `column ${one.at + 1}` },
      { title: "Missing", isNumber: true, sortBy: (one) => one.share, cell: (one) => percent(one.share) },
      { title: "Values", isNumber: true, sortBy: (one) => -one.share, cell: (one) => integer(Math.round((1 - one.share) * found.rows)) },
    ],
    { key: (one) => String(one.at), caption: "Columns", empty: () => emptyState("There are no columns") },
  );
  columns.update(found.columns.map((name, at) => ({ name, at, share: found.shares[at] })));
  const told = `${cut}${plural(found.rows, "row")}, from top to bottom; the darker, the more is missing. Empty fields, NA, NaN, null and “..” count as missing.`;
  fill(place, h("p", { class: "hint" }, told), picture, h("div", { class: "framed" }, columns.element));
  const data = found.bands.flatMap((band, at) => band.map((share, column) => [column, at, Number(share.toFixed(3))]));
  const size = Math.ceil(found.rows / found.bands.length);
  const describe = (/** @type {import("../chart.js").Colors} */ colors) => ({
    tooltip: { formatter: (/** @type {any} */ one) => `${found.columns[one.value[0]]}\nrows ${one.value[1] * size + 1} and on: ${percent(one.value[2])} missing` },
    visualMap: { show: false, min: 0, max: 1, inRange: { color: [colors.soft, colors.accent] } },
    xAxis: { type: "category", data: found.columns },
    yAxis: { type: "category", inverse: true, data: found.bands.map((_, at) => String(at * size + 1)) },
    series: [{ type: "heatmap", data }],
  });
  try {
    await chart(picture, describe, { label: "What is missing: columns from left to right, rows from top to bottom" });
  } catch (error) {
    fill(picture, errorState(error));
  }
}
