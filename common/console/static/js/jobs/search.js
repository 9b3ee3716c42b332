// @ts-check
/** What a search has found, from its trials. Pure. */

/** @typedef {{number: number, state: string, value: number | null, params: Record<string, any>}} Trial */

/** Whether smaller values are better, as far as the best one tells; null where it does not. @param {Trial[]} trials @param {any} best */
export function isMinimized(trials, best) {
  const values = trials.filter((one) => one.state === "complete").flatMap((one) => (one.value === null ? [] : [one.value]));
  if (!values.length || typeof best !== "number") return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) return null;
  return Math.abs(best - low) <= Math.abs(best - high);
}

/** The best value after each trial. @param {Trial[]} trials @param {boolean} down whether smaller is better @returns {[number, number][]} */
export function bestSoFar(trials, down) {
  /** @type {[number, number][]} */
  const found = [];
  for (const { number, value, state } of trials) {
    if (value === null || state !== "complete") continue;
    const before = found.at(-1)?.[1] ?? value;
    found.push([number, down ? Math.min(before, value) : Math.max(before, value)]);
  }
  return found;
}

/** @param {Trial[]} trials @returns {string[]} */
export function parameters(trials) {
  return [...new Set(trials.flatMap((one) => Object.keys(one.params)))];
}

/**
 * How strongly the value goes with each parameter, 0 to 1, the strongest first: for numbers Spearman's rank correlation
 * without its sign, for choices the correlation ratio of the ranks. Each parameter by itself.
 * @param {Trial[]} trials
 * @returns {{name: string, strength: number}[]}
 */
export function strengths(trials) {
  const done = trials.filter((one) => one.value !== null && one.state === "complete");
  return parameters(done)
    .map((name) => {
      const with_ = done.filter((one) => one.params[name] !== undefined && one.params[name] !== null);
      const values = ranks(with_.map((one) => /** @type {number} */ (one.value)));
      const given = with_.map((one) => one.params[name]);
      const isNumbers = given.every((one) => typeof one === "number");
      return { name, strength: isNumbers ? Math.abs(correlation(ranks(given), values)) : ratio(given.map(String), values) };
    })
    .sort((a, b) => b.strength - a.strength);
}

/** Ranks from 1, ties sharing their mean. @param {number[]} values */
export function ranks(values) {
  const order = values.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
  const found = new Array(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && order[to + 1].value === order[from].value) to += 1;
    for (let at = from; at <= to; at += 1) found[order[at].index] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return found;
}

/** @param {number[]} xs @param {number[]} ys */
export function correlation(xs, ys) {
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  xs.forEach((x, at) => {
    xy += (x - mx) * (ys[at] - my);
    xx += (x - mx) ** 2;
    yy += (ys[at] - my) ** 2;
  });
  return xx && yy ? xy / Math.sqrt(xx * yy) : 0;
}

/** @param {string[]} groups @param {number[]} ys */
function ratio(groups, ys) {
  const all = mean(ys);
  const whole = ys.reduce((sum, y) => sum + (y - all) ** 2, 0);
  if (!whole) return 0;
  let between = 0;
  for (const group of new Set(groups)) {
    const own = ys.filter((_, at) => groups[at] === group);
    between += own.length * (mean(own) - all) ** 2;
  }
  return Math.sqrt(between / whole);
}

/** @param {number[]} values */
function mean(values) {
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
}
