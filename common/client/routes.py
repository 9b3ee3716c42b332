"""Finding a model's route in what `/models` told. Pure."""

import difflib
from collections.abc import Sequence
from typing import Any

from common.client.errors import AtollClientError


def route_of(models: Sequence[dict[str, Any]], name: str, verb: str) -> str:
    """Path of the model's `POST …/<verb>`.

    Its router's prefix need not be its name, so the routes that the server lists decide. `train` is one that Atoll adds
    under the model's name; it may not be listed.

    Raises
    ------
    AtollClientError
        There is no such model, it could not be imported, or it has no such route.
    """
    model = next((item for item in models if item["name"] == name), None)
    if model is None:
        raise AtollClientError(f"the server has no model {name!r}; {_instead(name, [item['name'] for item in models])}")
    paths: list[str] = [route.split(" ", 1)[1] for route in model["routes"] if route.startswith("POST ")]
    found = [path for path in paths if path.endswith(f"/{verb}") and "{" not in path]
    if found:
        return min(found, key=len)
    if not paths and model.get("reason"):
        raise AtollClientError(f"{name} is unavailable: {model['reason']}")
    if verb == "train":
        return f"/{name}/train"
    raise AtollClientError(f"{name} has no {verb} route; it has {', '.join(model['routes']) or 'none'}")


def place_of(routes: Sequence[str], name: str, method: str, route: str) -> str:
    """Path of a model's route by what it is called below the model: `targets`, `models/{ref}`.

    Raises
    ------
    AtollClientError
        The model has no such route.
    """
    wanted = route.strip("/")
    own = [path for verb, _, path in (item.partition(" ") for item in routes) if verb == method]
    # The shortest prefix: another route may end so too.
    found = min((path for path in own if path.endswith(f"/{wanted}")), key=len, default=None)
    if found is None:
        there = f"its {method} routes are {', '.join(own)}" if own else f"it has {', '.join(routes) or 'none'}"
        raise AtollClientError(f"{name} has no route {method} {wanted!r}; {there}")
    return found


def _instead(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"do you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
