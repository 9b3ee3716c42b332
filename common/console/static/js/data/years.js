// @ts-check
/** Years in a few words: runs of them as `2000–2020`. Pure. @param {number[]} years in order */
export function yearsText(years) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const year of years) {
    const last = runs.at(-1);
    if (last && year === last[1] + 1) last[1] = year;
    else runs.push([year, year]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
}
