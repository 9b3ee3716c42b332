// @ts-check
/** Elements made by hand: text is only ever text, whatever it says. */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("../icons.svg", import.meta.url).pathname;

/**
 * An element: `h("p", {class: "hint", onclick: f}, "text", child)`.
 *
 * Properties that begin with `on` are listeners, `class`, `dataset` and `style` (an object) are what they say, `true`
 * and `false` set and leave out; everything else is an attribute. Children that are null or false are left out.
 *
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement & Record<string, any>}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  apply(element, properties);
  fill(element, ...children);
  return element;
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(tag, properties, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, properties);
  fill(element, ...children);
  return element;
}

/**
 * A symbol of `icons.svg`; without a label it is for the eyes only.
 * @param {string} name
 * @param {string} [label]
 */
export function icon(name, label) {
  const named = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return svg("svg", { class: "icon", ...named }, svg("use", { href: `${SPRITE}#${name}` }));
}

/**
 * Put these children into an element in the place of those it has.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  const nodes = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (child instanceof Node ? child : String(child))));
}

/**
 * Set a text, and touch the page only if it is another one.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * The element with this id, which the template has.
 * @param {string} id
 * @returns {HTMLElement & Record<string, any>}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

let made = 0;

/** An id that no other element of the page has. @param {string} [prefix] */
export function uniqueId(prefix = "e") {
  made += 1;
  return `${prefix}-${made}`;
}

/** @param {Element} element @param {Record<string, any> | null} [properties] */
function apply(element, properties) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(/** @type {HTMLElement} */ (element).dataset, value);
    // By the object model: a `style` attribute is what the policy forbids.
    else if (name === "style") Object.assign(/** @type {HTMLElement} */ (element).style, value);
    else if (name === "value" && "value" in element) element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}
