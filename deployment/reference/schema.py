"""Types and fields of JSON schemas, in words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from deployment.reference.text import anchor, code

_BOUNDS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "{} characters or more"),
    ("maxLength", "at most {} characters"),
    ("minItems", "{} items or more"),
    ("maxItems", "at most {} items"),
)
Schema = Mapping[str, Any]


def type_of(schema: Schema) -> str:
    """A type as Markdown: `integer`, a list of `string`, a link to a definition; any of several joined by "or"."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{shown(name)}](#{anchor('schema ' + name)})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            kinds = [type_of(one) for one in schema[several]]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return " or ".join(code(one) for one in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(code(one) for one in kind)
    if kind == "array":
        inner = type_of(schema.get("items", {}))
        return f"list of {inner}" if inner else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        inner = type_of(schema["additionalProperties"])
        return f"object of {inner}" if inner else "object"
    if kind is None:
        return "any JSON"
    return code(schema["format"]) if "format" in schema else code(kind)


def bounds_of(schema: Schema) -> str:
    """What a value has to keep to, in words."""
    found = [schema, *(one for one in schema.get("anyOf", ()) if isinstance(one, dict))]
    if any({"minimum", "maximum"} <= set(one) for one in found):
        (least, most), *_ = ((one["minimum"], one["maximum"]) for one in found if {"minimum", "maximum"} <= set(one))
        return f"{least} to {most}"
    return ", ".join(dict.fromkeys(words.format(one[name]) for one in found for name, words in _BOUNDS if name in one))


def fields_of(schema: Schema) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default, and meaning of each field of an object."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else code(_json(field["default"])) if "default" in field else ""
        meaning = field.get("description") or field.get("title", "")
        bounds = bounds_of(field)
        yield code(name), type_of(field), default, f"{meaning} ({bounds})" if bounds else meaning


def shown(name: str) -> str:
    """The name of a definition without the place of its class."""
    return name.rpartition("__")[2]


def _json(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
