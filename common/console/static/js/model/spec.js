// @ts-check
/** What a route asks for, as fields of a form: from the API's own description (OpenAPI) and `GET /params`. Pure. */

/**
 * @typedef {object} Choices where the accepted values are asked for
 * @property {string} endpoint
 * @property {string} method
 * @property {string[]} inputs fields that it takes
 * @property {string[]} needs those of them that it cannot do without
 */
/** @typedef {"text" | "number" | "integer" | "boolean" | "enum" | "many" | "lines" | "numbers" | "json"} Kind */
/**
 * @typedef {object} Field
 * @property {string} name
 * @property {"body" | "query"} place
 * @property {string} label
 * @property {string} description
 * @property {boolean} required
 * @property {Kind} kind `many` is several of `values` or of the choices, `lines` a list of texts
 * @property {Record<string, string> | null} values of an enum: label by name
 * @property {number | null} minimum
 * @property {number | null} maximum
 * @property {number | null} above less than any value, where there is no smallest one
 * @property {number | null} below more than any value
 * @property {any} fallback what the API takes where nothing is given
 * @property {any} example
 * @property {Record<string, any>[]} requiredIf any of these makes it needed; without, it is not shown
 * @property {Choices | null} choices
 */
/** @typedef {{path: string, fields: Field[], examples: Record<string, any>}} Route */

/**
 * The path of a model's route that takes no parameters in its path, as `/housing/predict`; null without one.
 * @param {string[]} routes as `GET /models` tells them
 * @param {string} verb its last part
 */
export function pathOf(routes, verb) {
  const found = routes.find((route) => route.startsWith("POST ") && route.endsWith(`/${verb}`) && !route.includes("{"));
  return found ? found.slice("POST ".length) : null;
}

/**
 * @param {any} document the OpenAPI document
 * @param {string} path
 * @param {any[]} inputs of the model in `GET /params`
 * @returns {Route | null} null where its body is no JSON object with named members
 */
export function routeOf(document, path, inputs) {
  const operation = document.paths?.[path]?.post;
  const content = operation?.requestBody?.content?.["application/json"];
  const schema = resolve(document, content?.schema);
  if (!schema?.properties) return null;
  const told = new Map(inputs.map((input) => [input.parameter, input]));
  const body = Object.entries(schema.properties).map(([name, given]) =>
    fieldOf(document, name, given, "body", (schema.required ?? []).includes(name), told.get(name)),
  );
  const query = (operation.parameters ?? [])
    .filter((/** @type {any} */ one) => one.in === "query")
    .map((/** @type {any} */ one) =>
      fieldOf(document, one.name, { description: one.description, ...one.schema }, "query", one.required ?? false, undefined),
    );
  const examples = Object.fromEntries(
    Object.entries(content.examples ?? {}).map(([name, one]) => [name, /** @type {any} */ (one).value]),
  );
  return { path, fields: [...body, ...query], examples };
}

/**
 * @param {any} document @param {string} name @param {any} given @param {"body" | "query"} place
 * @param {boolean} required @param {any} told
 * @returns {Field}
 */
function fieldOf(document, name, given, place, required, told) {
  const schema = { ...resolve(document, given), ...withoutRef(given) };
  const options = (schema.anyOf ?? [schema]).map((/** @type {any} */ one) => resolve(document, one));
  const main = mainOf(options);
  const kind = kindOf(main, options, Boolean(told?.req_endpoint));
  const names = main.enum ?? main.items?.enum ?? null;
  return {
    name,
    place,
    label: told?.label ?? schema.title ?? name,
    description: told?.description ?? schema.description ?? "",
    required,
    kind,
    values: told?.values ?? (names && Object.fromEntries(names.map((/** @type {any} */ one) => [String(one), String(one)]))),
    ...boundsOf(main),
    fallback: schema.default ?? null,
    example: schema.examples?.[0] ?? null,
    requiredIf: schema.required_if ?? [],
    choices: told?.req_endpoint ? { ...told.req_endpoint, needs: needsOf(document, told.req_endpoint) } : null,
  };
}

/** Of several types the one that a form asks for: a number that may also come as text is a number. @param {any[]} options */
function mainOf(options) {
  const real = options.filter((one) => one.type !== "null");
  const isNumber = (/** @type {any} */ one) => one.type === "number" || one.type === "integer";
  return real.find((one) => one.enum) ?? real.find(isNumber) ?? real[0] ?? {};
}

/** @param {any} main @param {any[]} options @param {boolean} hasChoices @returns {Kind} */
function kindOf(main, options, hasChoices) {
  if (main.enum) return "enum";
  if (main.type === "boolean") return "boolean";
  if (main.type === "array") {
    const { type, enum: names } = main.items ?? {};
    if (names || hasChoices) return "many";
    if (type === "string") return options.filter((one) => one.type !== "null").length > 1 ? "json" : "lines";
    return type === "number" || type === "integer" ? "numbers" : "json";
  }
  // Where a choice may be a text as well as a number, as of a year, it is sent as the text that it is.
  if (main.type === "integer" && options.some((one) => one.type === "string")) return "text";
  if (main.type === "number" || main.type === "integer") return main.type;
  return main.type === "string" ? "text" : "json";
}

/** What numbers may be. Of whole ones the bounds always have a smallest and a largest value. @param {any} main */
function boundsOf({ type, minimum = null, maximum = null, exclusiveMinimum: above = null, exclusiveMaximum: below = null }) {
  if (type !== "integer") return { minimum, maximum, above, below };
  return { minimum: minimum ?? (above === null ? null : above + 1), maximum: maximum ?? (below === null ? null : below - 1), above: null, below: null };
}

/** Which inputs a route of choices cannot do without. @param {any} document @param {{endpoint: string, method: string}} asked */
function needsOf(document, { endpoint, method }) {
  const operation = document.paths?.[endpoint]?.[method.toLowerCase()];
  const body = resolve(document, operation?.requestBody?.content?.["application/json"]?.schema);
  const query = (operation?.parameters ?? []).filter((/** @type {any} */ one) => one.in === "query" && one.required);
  return [...query.map((/** @type {any} */ one) => one.name), ...(body?.required ?? [])];
}

/** @param {any} document @param {any} schema */
function resolve(document, schema) {
  let found = schema;
  // Bounded, for a schema that names itself.
  for (let depth = 0; found?.$ref && depth < 20; depth += 1) {
    found = document.components?.schemas?.[found.$ref.split("/").at(-1)];
  }
  return found ?? {};
}

/** @param {any} schema */
function withoutRef({ $ref: _, ...rest }) {
  return rest;
}

/**
 * Whether a field is to be shown, the others being as they are.
 * @param {Field} field @param {Record<string, any>} values
 */
export function isAsked(field, values) {
  if (!field.requiredIf.length) return true;
  return field.requiredIf.some((one) => Object.entries(one).every(([name, value]) => values[name] === value));
}

/**
 * What a list of accepted values says, in any of its shapes.
 * @param {any} answer a list of values or of {value, label}, or labels by value
 * @returns {{value: string, label: string}[]}
 */
export function optionsOf(answer) {
  if (Array.isArray(answer)) {
    return answer.map((one) =>
      one !== null && typeof one === "object"
        ? { value: String(one.value), label: String(one.label ?? one.value) }
        : { value: String(one), label: String(one) },
    );
  }
  if (answer === null || typeof answer !== "object") return [];
  return Object.entries(answer).map(([value, label]) => ({ value, label: String(label) }));
}
