"""The page of every route, made of the OpenAPI document. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from deployment.reference.schema import Schema, bounds_of, fields_of, shown, type_of
from deployment.reference.text import anchor, code, table

METHODS = ("get", "put", "post", "patch", "delete")
# What parameters of these names mean wherever they say nothing themselves.
COMMON = {
    "accept": "What the answer is to be: see above.",
    "category": "One of those that are listed.",
    "cluster": "Name of the cluster.",
    "dataset": "Code of a data set.",
    "if-none-match": "The `ETag` of the answer that you have: 304 without a body if nothing is new.",
    "if-range": "The `ETag` that the range is of; another one gives the whole.",
    "job_id": "Id of the job.",
    "kind": "Jobs of this kind.",
    "limit": "How many at once.",
    "model": "Name of the model.",
    "model_description": "Text for people.",
    "name": "Its name.",
    "path": "Path of the file within the task.",
    "range": "`bytes=first-last`: a part of it.",
    "target_year": "Year that is to be filled.",
    "task_id": "Id of the task.",
    "year": "Year of the values.",
}
_HEAD = """# Every route

Made of the code when these pages were built, and the same as `/docs` and `/openapi.json` show. [API](api.md) says in
sentences how the routes belong together, what headers they take, and what errors look like.

Every error is [Problem](#schema-problem) as `application/problem+json`, but under old prefixes.
"""


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of each route."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def meaning_of(parameter: Mapping[str, Any]) -> str:
    """What a parameter is for; empty where nobody says."""
    own = parameter.get("description") or parameter.get("schema", {}).get("description")
    return str(own or COMMON.get(str(parameter["name"]).lower(), ""))


def api_page(document: Mapping[str, Any]) -> str:
    """The page, as Markdown: routes by their tag, then the definitions that they name."""
    by_tag: dict[str, list[str]] = {}
    for method, path, operation in operations(document):
        (tag, *_) = operation.get("tags") or ["Atoll"]
        by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    parts = [_HEAD]
    for tag, found in by_tag.items():
        parts += [f"## {tag}\n", *found]
    parts.append("## Definitions\n")
    for name, schema in sorted(document["components"]["schemas"].items(), key=lambda item: shown(item[0]).lower()):
        parts.append(_definition(name, schema))
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    heading = f"### `{method} {path}` {{: #{anchor(f'{method} {path}')} }}\n"
    parts = [heading, f"**{operation['summary']}.** {operation.get('description', '')}\n"]
    parameters = operation.get("parameters", ())
    if parameters:
        parts.append(table(("parameter", "in", "type", "meaning"), map(_parameter, parameters)))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body, `{kind}`: {_body(content.get('schema', {}))}\n")
    rows = [
        (code(status), told.get("description", "").replace("Successful Response", "Done."), ", ".join(_answer(told)))
        for status, told in sorted(operation["responses"].items())
    ]
    parts.append(table(("status", "when", "answer"), rows))
    return "\n".join(parts)


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str, str, str]:
    schema: Schema = parameter.get("schema", {})
    bounds, default = bounds_of(schema), schema.get("default")
    more = [f"Default {code(default)}."] if default not in (None, "", [], ()) else []
    more += ["Required."] if parameter.get("required") and parameter["in"] != "path" else []
    more += [f"({bounds})"] if bounds else []
    return code(parameter["name"]), str(parameter["in"]), type_of(schema), " ".join([meaning_of(parameter), *more])


def _body(schema: Schema) -> str:
    kind = type_of(schema)
    if "properties" not in schema:
        return kind
    return f"fields\n\n{table(('field', 'type', 'default', 'meaning'), fields_of(schema))}"


def _answer(told: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in told.get("content", {}).items():
        # Errors are all the same, as the page says at its head.
        if kind != "application/problem+json":
            schema = content.get("schema", {})
            yield type_of(schema) if schema and kind == "application/json" else code(kind)


def _definition(name: str, schema: Schema) -> str:
    heading = f"### {shown(name)} {{: #{anchor('schema ' + name)} }}\n"
    parts = [heading, str(schema.get("description", "")).strip() + "\n"]
    fields = list(fields_of(schema))
    if fields:
        parts.append(table(("field", "type", "default", "meaning"), fields))
    else:
        parts.append(f"{type_of(schema)}\n")
    return "\n".join(parts)
