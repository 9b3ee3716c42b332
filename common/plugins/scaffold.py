"""`atoll plugin new NAME`: a plugin to start from."""

import re
from pathlib import Path

from common.errors import SettingsError
from common.plugins.contract import RESERVED_NAMES

_TEMPLATE = '''"""{title}: what it predicts, from what, in one or two sentences."""

from fastapi import APIRouter

from common.plugins import BaseDefinition, Plugin, param

router = APIRouter(prefix="/{name}", tags=["{title}"])


class {kind}Request(BaseDefinition):
    """What the model is asked."""

    length_m: float = param(title="Length", description="In metres.", example=2.5, ge=0)


class {kind}Response(BaseDefinition):
    """What the model answers."""

    prediction: float


@router.post("/predict", summary="Predict")
async def predict(body: {kind}Request) -> {kind}Response:
    return {kind}Response(prediction=2 * body.length_m)


plugin = Plugin(title="{title}", examples={{"short": {{"length_m": 2.5}}}})
'''


def scaffold(name: str, folder: Path) -> Path:
    """Write `folder/name/__init__.py`.

    Raises
    ------
    SettingsError
        The name cannot be a plugin's, or is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in RESERVED_NAMES:
        raise SettingsError(
            f"{name!r} cannot be a plugin's name: use a-z, 0-9 and _, beginning with a letter, and none of "
            f"{', '.join(sorted(RESERVED_NAMES))}"
        )
    target = folder / name
    if target.exists():
        raise SettingsError(f"{target} exists already; choose another name")
    target.mkdir(parents=True)
    words = name.split("_")
    text = _TEMPLATE.format(name=name, title=" ".join(words).capitalize(), kind="".join(map(str.capitalize, words)))
    path = target / "__init__.py"
    path.write_text(text, encoding="utf-8")
    return path
