// @ts-check
/** A line without axes, for a table's cell. */

import { svg } from "./dom.js";

const [WIDTH, HEIGHT, PAD] = [96, 24, 2];

/**
 * @param {number[]} values oldest first
 * @param {string} label what it shows, for screen readers
 */
export function sparkline(values, label) {
  const { line, area } = paths(values);
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: "area", d: area }),
    svg("path", { d: line }),
  );
}

/** The line, and the area under it, in the units of the drawing. Pure. @param {number[]} values */
export function paths(values) {
  const shown = values.length === 1 ? [values[0], values[0]] : values;
  if (!shown.length) return { line: "", area: "" };
  const most = Math.max(...shown, 1e-9);
  const points = shown.map((value, index) => {
    const x = (index / (shown.length - 1)) * WIDTH;
    const y = HEIGHT - PAD - (value / most) * (HEIGHT - 2 * PAD);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = `M${points.join("L")}`;
  return { line, area: `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` };
}
