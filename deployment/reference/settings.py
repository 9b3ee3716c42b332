"""The page of every setting, made of the settings' classes. Pure."""

import inspect
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from common.settings.base import CHECKOUT, Area
from deployment.reference.schema import bounds_of
from deployment.reference.text import code, table

_HEAD = """# Every setting

Made of the code when these pages were built: type, default and bounds as they are checked at the start.
[Settings](settings.md) has the same variables with what hangs together. `atoll settings` shows those in effect.

A *secret* may also be given [as a file or by reference](security.md#secrets), and is masked wherever it could be shown.
"""


def settings_page(areas: Iterable[type[Area]]) -> str:
    """The page, as Markdown: a section an area."""
    parts = [_HEAD]
    for area in areas:
        about, _, more = (inspect.getdoc(area) or area.__name__).partition("\n")[0].partition(": ")
        parts.append(f"## {about.rstrip('.')}\n")
        if more:
            parts.append(f"{more[0].upper()}{more[1:]}\n")
        properties = area.model_json_schema(mode="validation")["properties"]
        rows = [
            (
                code(field.validation_alias),
                kind_of(field),
                default_of(field),
                _meaning(field, properties.get(str(field.validation_alias), {})),
            )
            for field in area.model_fields.values()
        ]
        parts.append(table(("variable", "type", "default", "meaning"), rows))
    return "\n".join(parts)


def kind_of(field: FieldInfo) -> str:
    """The type of a setting, in words."""
    kinds = [kind for kind in _members(field.annotation) if kind is not type(None)]
    if SecretStr in kinds:
        return "secret"
    (kind, *_) = kinds
    if get_origin(kind) is Literal:
        return " or ".join(code(one) for one in get_args(kind))
    if get_origin(kind) in (tuple, list, set, frozenset):
        return "list, separated by commas"
    names = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}
    return names.get(kind, {"Path": "path"}.get(getattr(kind, "__name__", ""), "text"))


def default_of(field: FieldInfo) -> str:
    """The default of a setting; "none" where there is none, or one that only the start can tell."""
    value = field.get_default(call_default_factory=False)
    if value in (None, (), "", [], {}, frozenset()) or field.is_required():
        return "none"
    if isinstance(value, tuple | list | frozenset | set):
        return code(",".join(str(one) for one in value))
    if isinstance(value, Path) and value.is_relative_to(CHECKOUT):
        return f"{code(value.relative_to(CHECKOUT))} in the checkout"
    return code(str(value).lower() if isinstance(value, bool) else value)


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _meaning(field: FieldInfo, schema: dict[str, Any]) -> str:
    bounds = bounds_of(schema)
    return f"{field.description or ''} ({bounds})" if bounds else field.description or ""
