"""The conformance kit: what a plugin must do to be a good neighbour, checked one thing at a time.

`atoll plugin check NAME` prints the outcome; a plugin's own tests may call `check` and assert that all passed.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI

from common.app import create_app
from common.errors import PROBLEM_JSON
from common.http.openapi import UNDOCUMENTED_STATE
from common.http.replay import replay
from common.plugins.claims import Claims, in_order
from common.plugins.discovery import discover, find
from common.plugins.parameters import parameters, predict_route
from common.plugins.record import PluginRecord
from common.runtime import Runtime
from common.settings import PluginSettings, Settings

# CPU seconds; every process that serves the plugin pays them at start.
IMPORT_BUDGET_S = 0.5
# Each takes a second or hundreds of megabytes; a plugin imports them where it uses them.
HEAVY = frozenset({"onnxruntime", "optuna", "pandas", "scipy", "sklearn", "tensorflow", "torch", "transformers"})


@dataclass(frozen=True)
class Outcome:
    """One check: whether it passed, and if not, what to do."""

    check: str
    passed: bool
    message: str = ""


async def check(name: str, settings: Settings | None = None) -> list[Outcome]:
    """Run all checks on one plugin; reads its data and calls its examples."""
    base = settings or Settings()
    chosen = PluginSettings(service_model=(name,), path=base.plugins.path)
    before = HEAVY & sys.modules.keys()
    app = create_app(
        Settings(
            http=base.http,
            plugins=chosen,
            storage=base.storage,
            serving=base.serving,
            telemetry=base.telemetry,
        )
    )
    runtime: Runtime = app.state.runtime
    record = runtime.records[0]
    outcomes = [Outcome("imports", record.router is not None, record.reason or "")]
    if record.router is None:
        return outcomes
    heavy = sorted((HEAVY & sys.modules.keys()) - before)
    outcomes.append(_imports_fast(record, heavy))
    outcomes += list(_documents(app, record))
    outcomes.append(_leaves_others_their_paths(record, chosen))
    record.load()
    outcomes.append(Outcome("loads", record.is_ready(), record.reason or ""))
    if record.is_ready() and predict_route(record.router) is not None:
        for checked in (_answers_examples, _refuses_bad_bodies):
            outcomes += await checked(app, record)
    return outcomes


def _imports_fast(record: PluginRecord, heavy: list[str]) -> Outcome:
    said = []
    if record.import_cpu_s > IMPORT_BUDGET_S:
        said.append(f"importing takes {record.import_cpu_s:.2f} CPU seconds, more than {IMPORT_BUDGET_S}")
    if heavy:
        said.append(f"importing brings {', '.join(heavy)}; import them inside the functions that use them")
    return Outcome("imports fast", not said, "; ".join(said))


def _leaves_others_their_paths(record: PluginRecord, settings: PluginSettings) -> Outcome:
    """Whether it is mounted beside all other plugins there are; imports them."""
    others = tuple(sorted(find(settings).keys() - {record.name}))
    found = discover(settings.model_copy(update={"service_model": others})) if others else []
    claims = Claims()
    refused = {item.name: claims.take(item) for item in in_order([record, *found]) if item.router is not None}
    reason = refused[record.name]
    return Outcome("leaves other plugins their paths", reason is None, reason or "")


def _documents(app: FastAPI, record: PluginRecord) -> Iterator[Outcome]:
    try:
        app.openapi()
    except Exception as exc:  # noqa: BLE001 - whatever a plugin's types do to the schema, the other checks go on
        yield Outcome("documented", False, f"/openapi.json cannot be written: {exc}")
        return
    left_out = getattr(app.state, UNDOCUMENTED_STATE, {})
    told = "; ".join(f"{path} cannot be put into /openapi.json: {reason}" for path, reason in left_out.items())
    yield Outcome("documented", not left_out, told)
    inputs = parameters(record.router, record.prefix)
    if inputs is not None:
        yield Outcome("lists its parameters", True)
    elif record.router is None or predict_route(record.router) is None:
        yield Outcome("lists its parameters", True, "note: no POST …/predict, so /params shows no inputs")
    elif record.plugin.tensors is not None:
        yield Outcome("lists its parameters", True, "note: each of its models says itself what it takes")
    else:
        yield Outcome("lists its parameters", False, "the body of POST …/predict has no definition: /params is empty")


async def _answers_examples(app: FastAPI, record: PluginRecord) -> list[Outcome]:
    path = _predict_path(record)
    if not record.plugin.examples:
        return [Outcome("answers examples", True, "note: Plugin(examples=…) has none, so no answer was checked")]
    outcomes = []
    for name, body in record.plugin.examples.items():
        answer = await replay(app, "POST", path, body=json.dumps(dict(body)).encode())
        passed = answer.status == 200
        said = "" if passed else f"{answer.status}: {answer.body[:300].decode(errors='replace')}"
        outcomes.append(Outcome(f"answers example {name}", passed, said))
    return outcomes


async def _refuses_bad_bodies(app: FastAPI, record: PluginRecord) -> list[Outcome]:
    path = _predict_path(record)
    # Beside a whole example: alone, it would be refused for the fields that are missing.
    example = next(iter(record.plugin.examples.values()), {})
    unknown = json.dumps(dict(example) | {"no_such_field": 1}).encode()
    outcomes = []
    for name, body in (("no JSON", b"{"), ("a list", b"[]"), ("an unknown field", unknown)):
        answer = await replay(app, "POST", path, body=body)
        passed = 400 <= answer.status < 500 and answer.headers.get("content-type", "").startswith(PROBLEM_JSON)
        said = "" if passed else f"answered {answer.status}; derive the request from BaseDefinition"
        outcomes.append(Outcome(f"refuses {name}", passed, said))
    return outcomes


def _predict_path(record: PluginRecord) -> str:
    found = predict_route(record.router)
    return record.prefix + (found[0] if found else "")
