// @ts-check
/** A field and a slider for each figure, with the range that it has in the training. */

const STYLES = `
.housing-fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr)); gap: var(--space-4) var(--space-5); }
.housing-field { display: grid; grid-template-columns: minmax(0, 1fr) 5.75rem; align-items: center; gap: var(--space-1) var(--space-3); align-content: start; }
.housing-field > label { font-weight: 560; line-height: 1.3; }
.housing-field > input[type="range"] { grid-column: 1 / -1; width: 100%; margin: 0; accent-color: var(--accent); }
.housing-field > p { grid-column: 1 / -1; color: var(--text-muted); font-size: var(--text-xs); line-height: 1.4; }
.housing-field > p.is-warn { color: var(--warn); }
.housing-field .input { padding-right: 0.25rem; text-align: right; }
`;

/** @typedef {{least: number, low: number, median: number, high: number, most: number}} Range */
/** @typedef {{name: string, label: string, unit: string, minimum: number | null, maximum: number | null}} Told */

/**
 * @param {Told[]} figures @param {Record<string, Range>} ranges @param {any} kit
 * @param {(name: string, value: number) => void} onChange only with values that the API takes
 */
export function fieldsOf(figures, ranges, kit, onChange) {
  const { h } = kit.dom;
  kit.styles(STYLES);
  const parts = Object.fromEntries(figures.map((figure) => [figure.name, partOf(figure)]));

  /** @param {Told} figure */
  function partOf({ name, label, unit, minimum, maximum }) {
    const range = ranges[name];
    const id = `housing-${name}`;
    // A few districts are far beyond all others: a slider to them would be of no use.
    const step = stepOf(range.high - range.low);
    const number = h("input", { class: "input", id, type: "number", step, inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-hint` });
    const slider = h("input", { type: "range", min: toStep(range.low, step, Math.floor), max: toStep(range.high, step, Math.ceil), step, "aria-label": `${label}, slider` });
    const hint = h("p", { id: `${id}-hint` });
    const mostly = `${unit ? `${unit} ` : ""}Mostly ${kit.format.number(range.low, 3)} to ${kit.format.number(range.high, 3)}, median ${kit.format.number(range.median, 3)}.`;
    number.addEventListener("input", () => take(number.value === "" ? NaN : Number(number.value), number));
    slider.addEventListener("input", () => take(Number(slider.value), slider));

    /** @param {number} value @param {HTMLElement} source */
    function take(value, source) {
      const wrong = problemOf(value);
      if (wrong) return say(wrong, true);
      show(value, source);
      onChange(name, value);
    }

    /** @param {number} value */
    function problemOf(value) {
      if (!Number.isFinite(value)) return "A number, please.";
      if (minimum !== null && value < minimum) return `At least ${minimum}, please.`;
      return maximum !== null && value > maximum ? `At most ${maximum}, please.` : "";
    }

    /** @param {string} text @param {boolean} isWrong */
    function say(text, isWrong) {
      kit.dom.setText(hint, text);
      hint.className = isWrong ? "field-error" : text === mostly ? "" : "is-warn";
      if (isWrong) number.setAttribute("aria-invalid", "true");
      else number.removeAttribute("aria-invalid");
    }

    /** @param {number} value @param {HTMLElement | null} [source] what is being written is left alone */
    function show(value, source = null) {
      if (source !== number) number.value = String(value);
      if (source !== slider) slider.value = String(value);
      const beyond = value < range.least ? "so little" : value > range.most ? "so much" : "";
      say(beyond ? `No district of the training has ${beyond}: the price is a guess.` : mostly, false);
    }
    return { element: h("div", { class: "housing-field" }, h("label", { for: id }, label), number, slider, hint), show };
  }

  return {
    element: h("div", { class: "housing-fields" }, ...figures.map(({ name }) => parts[name].element)),
    /** @param {Record<string, number>} house */
    show(house) {
      for (const [name, part] of Object.entries(parts)) part.show(house[name], document.activeElement?.id === `housing-${name}` ? document.activeElement : null);
    },
  };
}

/** The next number that is a whole number of steps. @param {number} value @param {number} step @param {(value: number) => number} way */
function toStep(value, step, way) {
  return Number((way(value / step) * step).toPrecision(10));
}

/** A hundredth of a range, as people write it: 1, 2 or 5 times a power of ten. Pure. @param {number} span */
export function stepOf(span) {
  const power = 10 ** Math.floor(Math.log10(span / 100 || 1));
  const found = [1, 2, 5, 10].find((one) => one * power >= span / 150) ?? 10;
  return Number((found * power).toPrecision(1));
}
