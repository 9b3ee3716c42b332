"""What a fresh process does: how long the import of the app takes, and whether the models find their files.

In a process of its own, so that what is already imported here does not count, and with a state folder of its own,
so that nothing is written into the real one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.doctor.finding import Finding
from common.serving.cpu import cpu_count
from common.settings import CHECKOUT, Settings

# CPU seconds, as docs/performance.md has it; an instance that starts makes a caller wait for as long and longer.
IMPORT_BUDGET_S = 1.0
_IMPORT = """
import json, time
from common.app import create_app
create_app()
print(json.dumps({"cpu_s": time.process_time()}))
"""
_LOAD = """
import json
from common.plugins.discovery import discover
from common.settings import TelemetrySettings, get_settings
from common.telemetry.logs import configure_logs
configure_logs(TelemetrySettings(level="CRITICAL"))
told = []
for record in discover(get_settings().plugins):
    record.load()
    sets = [[item.name, item.origin] for item in record.datasets()]
    told.append({"name": record.name, "state": record.state, "reason": record.reason, "datasets": sets})
print(json.dumps(told))
"""


class Failed(Exception):
    """The process ended with an error or took too long; the text says which."""


def check_import(settings: Settings, environment: Mapping[str, str], timeout_s: float) -> Iterator[Finding]:
    """CPU time of the import of the app with all plugins."""
    try:
        cpu_s = _import_s(settings, environment, timeout_s)
        if cpu_s > IMPORT_BUDGET_S:
            # The first import in a new checkout compiles every file; and other work on the machine may have ended.
            cpu_s = min(cpu_s, _import_s(settings, environment, timeout_s))
    except Failed as exc:
        yield Finding("import", "error", f"the app cannot be made: {exc}", "nothing can start", "mend what it names")
        return
    yield judge_import(cpu_s, busy=_is_busy())


def _is_busy() -> bool:
    # Windows keeps no such average.
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5 * cpu_count()


def _import_s(settings: Settings, environment: Mapping[str, str], timeout_s: float) -> float:
    return float(_run(_IMPORT, settings, environment, timeout_s)["cpu_s"])


def judge_import(cpu_s: float, *, busy: bool = False) -> Finding:
    """What to say of an import that took so long; `busy` is a machine with more to do than it has CPUs."""
    told = f"import of the app takes {cpu_s:.2f} s of CPU"
    if cpu_s <= IMPORT_BUDGET_S:
        return Finding("import", "ok", f"{told}, of {IMPORT_BUDGET_S:g} s at most")
    why = f"the budget is {IMPORT_BUDGET_S:g} s on a quiet machine: a new instance keeps its first callers waiting"
    if busy:
        why += "; but this machine has other work now, which makes every process slower"
    todo = "name the models with SERVICE_MODEL; `atoll plugin check NAME` says which plugin imports too much"
    return Finding("import", "warning", told, why, todo)


def check_models(settings: Settings, environment: Mapping[str, str], timeout_s: float) -> Iterator[Finding]:
    """Load each model that is served here, as a start does."""
    try:
        told = _run(_LOAD, settings, environment, timeout_s)
    except Failed as exc:
        why = "the models could not be tried"
        yield Finding("models", "error", f"loading the models failed: {exc}", why, "try `atoll plugin check NAME`")
        return
    yield from judge_models(told)


def judge_models(told: list[dict[str, Any]]) -> Iterator[Finding]:
    """What to say of models: `name`, `state`, `reason` and `datasets` (name, origin) of each."""
    ready = []
    generated = []
    for model in told:
        if model["state"] != "ready":
            why = f"{model['name']} answers 503, and /health/ready says that the process is not ready"
            todo = "mend what it names, or leave the model out with SERVICE_MODEL"
            yield Finding("models", "error", f"{model['name']}: {model['reason'] or model['state']}", why, todo)
            continue
        ready.append(model["name"])
        generated += [model["name"] for _, origin in model["datasets"] if origin == "generated"]
    if generated:
        yield Finding(
            "models",
            "warning",
            f"{', '.join(generated)} answer from a generated sample",
            "no data set was found in the checkout or on the share: the answers are of no country that exists",
            "put the data set on the share (docs/datasets.md), or set DATASET_PATH",
        )
    if ready:
        yield Finding("models", "ok", f"{len(ready)} models find their files: {', '.join(ready)}")
    elif not told:
        why = "nothing is served"
        yield Finding("models", "error", "there is no model", why, "look at SERVICE_MODEL and ATOLL_PLUGIN_PATH")


def _run(code: str, settings: Settings, environment: Mapping[str, str], timeout_s: float) -> Any:
    """The JSON that a process prints as its last line."""
    from common.telemetry.masking import mask

    with tempfile.TemporaryDirectory(prefix="atoll-doctor-") as state:
        variables = {**environment, "ATOLL_STATE": state}
        share = settings.storage.share_dir
        if settings.storage.share_url is None and share.is_dir():
            # By default it lies in the real state folder.
            variables["FILE_SHARE"] = str(share.absolute())
        try:
            done = subprocess.run(  # noqa: S603 - our own code, under this interpreter
                [sys.executable, "-c", code],
                cwd=CHECKOUT,
                env={**variables, "PYTHONPATH": _path(environment)},
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"not done within {timeout_s:g} s") from None
    if done.returncode != 0 or not done.stdout.strip():
        said = [line for line in mask(done.stderr).strip().splitlines() if line.strip()]
        raise Failed(said[-1][:300] if said else f"it ended with {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _path(environment: Mapping[str, str]) -> str:
    before = environment.get("PYTHONPATH")
    return os.pathsep.join([str(CHECKOUT), *([before] if before else [])]) if Path(CHECKOUT).is_dir() else before or ""
