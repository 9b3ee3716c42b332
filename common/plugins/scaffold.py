"""`atoll plugin new NAME`: a plugin to start from, and a test of it."""

import re
from dataclasses import dataclass
from pathlib import Path

from common.errors import SettingsError
from common.plugins.contract import RESERVED_NAMES
from common.settings import CHECKOUT

_PLUGIN = '''"""{title}: what it predicts, from what, in one or two sentences.

What this package has to have is `router`; all else is optional. docs/plugins.md explains each part, and models/sample
shows more of them.
"""

from fastapi import APIRouter

from common.plugins import BaseDefinition, Plugin, param

# Routes stand under this prefix; the tag is their heading in /docs.
router = APIRouter(prefix="/{name}", tags=["{title}"])


class {kind}Request(BaseDefinition):
    """What the model is asked.

    Fields that are not declared are refused. /docs, /params and the console make their forms from this: give each field
    a title, a description with its unit, an example, and the limits that it has.
    """

    length_m: float = param(title="Length", description="In metres.", example=2.5, ge=0)
    width_m: float = param(1.0, title="Width", description="In metres; 1 if it is not given.", example=1.5, ge=0)


class {kind}Response(BaseDefinition):
    """What the model answers."""

    prediction: float = param(title="Area", description="In square metres.", example=3.75)


def area(length_m: float, width_m: float) -> float:
    """Your model stands here, in square metres.

    Import heavy libraries (pandas, scikit-learn, onnxruntime) inside the functions that use them: every process that
    serves the plugin pays for what is imported above.
    """
    return length_m * width_m


# POST .../predict is the route that makes a model of it: it is listed by /params, and can be queued.
@router.post("/predict", summary="Predict the area")
async def predict(body: {kind}Request) -> {kind}Response:
    # Less than a millisecond is fine here. For more, `common.serving.answer` computes on a thread and keeps the result.
    return {kind}Response(prediction=area(body.length_m, body.width_m))


# What Atoll may know of it. Worth adding when you need them:
#   load=function           reads files and opens models, once, before requests are answered
#   train=, train_request=  a queued training with progress, which publishes versions: POST /{name}/train
#   predict_batch=, cache=  what several callers ask at the same time is computed at once, and kept
plugin = Plugin(
    title="{title}",
    # `atoll plugin check {name}` asks these, and /docs offers them.
    examples={{"short": {{"length_m": 2.5}}, "both": {{"length_m": 2.5, "width_m": 1.5}}}},
)
'''

_TEST = '''"""What {name} promises. It runs in this process, without a server: `pytest {where}`."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from common.app import create_app
from common.plugins.conformance import check
from common.settings import PluginSettings, Settings, StorageSettings

{folder}

def settings(state: Path) -> Settings:
    """This plugin alone, and nothing of the state of this machine."""
    chosen = PluginSettings({path}service_model=("{name}",))
    return Settings(plugins=chosen, storage=StorageSettings(state_dir=state))


def post(state: Path, path: str, body: dict[str, Any]) -> httpx.Response:
    """What a server would answer."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(settings(state)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(path, json=body)

    return asyncio.run(ask())


def test_it_passes_the_conformance_kit(tmp_path: Path) -> None:
    outcomes = asyncio.run(check("{name}", settings(tmp_path)))
    assert [outcome for outcome in outcomes if not outcome.passed] == []


def test_the_area_is_length_times_width(tmp_path: Path) -> None:
    answer = post(tmp_path, "/{name}/predict", {{"length_m": 2.0, "width_m": 1.5}})
    assert (answer.status_code, answer.json()) == (200, {{"prediction": 3.0}})


def test_a_negative_length_is_refused(tmp_path: Path) -> None:
    answer = post(tmp_path, "/{name}/predict", {{"length_m": -1.0}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.length_m"
'''


@dataclass(frozen=True)
class Written:
    """Where what was written lies."""

    plugin: Path
    test: Path


def scaffold(name: str, folder: Path) -> Written:
    """Write `folder/name/__init__.py`, and a test: where the checkout keeps those of its models, else beside it.

    Raises
    ------
    SettingsError
        The name cannot be a plugin's, or is taken; nothing is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in RESERVED_NAMES:
        raise SettingsError(
            f"{name!r} cannot be a plugin's name: use a-z, 0-9 and _, beginning with a letter, and none of "
            f"{', '.join(sorted(RESERVED_NAMES))}"
        )
    target = folder / name
    is_in_checkout = folder.resolve() == (CHECKOUT / "models").resolve() and (CHECKOUT / "tests" / "models").is_dir()
    tests = CHECKOUT / "tests" / "models" / name if is_in_checkout else target
    for taken in {target, tests}:
        if taken.exists():
            raise SettingsError(f"{taken} exists already; choose another name")
    words = name.split("_")
    parts = {"name": name, "title": " ".join(words).capitalize(), "kind": "".join(map(str.capitalize, words))}
    if is_in_checkout:
        place = {"where": f"tests/models/{name}", "folder": "", "path": ""}
    else:
        folder_of = "# The folder that ATOLL_PLUGIN_PATH names.\nFOLDER = Path(__file__).resolve().parents[1]\n"
        place = {"where": name, "folder": folder_of, "path": "path=(FOLDER,), "}
    written = Written(target / "__init__.py", tests / f"test_{name}.py")
    target.mkdir(parents=True)
    written.plugin.write_text(_PLUGIN.format(**parts), encoding="utf-8")
    if is_in_checkout:
        tests.mkdir()
        (tests / "__init__.py").touch()
    written.test.write_text(_TEST.format(**parts, **place), encoding="utf-8")
    return written
