"""Calls that change the registry of a server."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from common.client.calls import Call, Repeat

_JSON = {"Content-Type": "application/json"}


def rollback(model: str, alias: str, current: int | None) -> Call:
    """Sent once where nobody says what the alias points to: a second one would go back further."""
    path = f"{_place(model)}/aliases/{_part(alias)}/rollback"
    repeat = Repeat.ALWAYS if current is not None else Repeat.UNLESS_SENT
    return _sending("POST", path, {} if current is None else {"current": current}, repeat)


def promote(model: str, version: int | str, alias: str, metric: str, direction: str, margin: float) -> Call:
    body = {"version": version, "alias": alias, "metric": metric, "direction": direction, "margin": margin}
    return _sending("POST", f"{_place(model)}/promote", body, Repeat.UNLESS_SENT if margin else Repeat.ALWAYS)


def set_traffic(model: str, weights: Mapping[str, float], shadow: str | None, shadow_share: float) -> Call:
    body = {"weights": dict(weights), "shadow": shadow, "shadow_share": shadow_share}
    return _sending("PUT", f"{_place(model)}/traffic", body)


def clear_traffic(model: str) -> Call:
    return Call("DELETE", f"{_place(model)}/traffic")


def describe(
    model: str,
    version: int | None,
    description: str | None,
    tags: Mapping[str, str] | list[str] | None,
    metrics: Mapping[str, float] | None,
) -> Call:
    told = {"description": description, "tags": tags, "metrics": metrics}
    return _sending("PATCH", _place(model, version), {name: value for name, value in told.items() if value is not None})


def delete(model: str, version: int | None = None, alias: str | None = None) -> Call:
    """A version, an alias, or the whole model. Sent once: the second answer would say that it is not there."""
    place = _place(model, version) if alias is None else f"{_place(model)}/aliases/{_part(alias)}"
    return Call("DELETE", place, repeat=Repeat.UNLESS_SENT)


def artefact(model: str, version: int, name: str) -> Call:
    return Call("GET", f"{_place(model, version)}/artefacts/{_part(name)}")


def _sending(method: str, path: str, body: Mapping[str, Any], repeat: Repeat = Repeat.ALWAYS) -> Call:
    return Call(method, path, headers=_JSON, body=orjson.dumps(body), repeat=repeat)


def _place(model: str, version: int | None = None) -> str:
    return f"/registry/{_part(model)}" + ("" if version is None else f"/versions/{version}")


def _part(text: str) -> str:
    """As one part of a path, whatever it is."""
    return quote(text, safe="")
