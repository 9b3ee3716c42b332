"""The jobs that the campaign submits: their requests, what they do, and what must come of them."""

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from common.plugins import BaseDefinition, param
from tests.campaign.ledger import note

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext

MODEL = "campaign"
STEPS = 6
TRIALS = 8


class Ask(BaseDefinition):
    """A prediction: `size_bytes` of text that only the token decides, after `seconds` of waiting."""

    token: str = param(title="Token", example="token-1")
    size_bytes: int = param(64, title="Size", ge=1, le=1_000_000)
    seconds: float = param(0.0, title="Seconds", ge=0, le=60)


class TrainAsk(Ask):
    """A training: a search, or steps with checkpoints; or one that goes wrong as told."""

    way: Literal["search", "steps", "refuse", "raise", "exit"] = param("steps", title="Way")
    seed: int = param(0, title="Seed", ge=0)


def answer(token: str, size_bytes: int) -> bytes:
    """Bytes that only these arguments decide: whoever computes them again can tell whether a result is right."""
    seed = hashlib.sha256(token.encode()).hexdigest()
    return (seed * (size_bytes // len(seed) + 1))[:size_bytes].encode()


def suggest(trial: "Trial") -> dict[str, Any]:
    """The space of the search; this module is the plugin's `space`."""
    return {"x": trial.suggest_float("x", -10, 10), "kind": trial.suggest_categorical("kind", ["a", "b"])}


def train(context: "TrainContext", request: TrainAsk) -> None:
    """Works in small pieces, notes each in the ledger, and publishes what the token decides."""
    run = uuid4().hex
    note("begin", request.token, run, attempt=attempt_of(context))
    try:
        _WAYS[request.way](context, request, run)
    finally:
        note("end", request.token, run)


def attempt_of(context: "TrainContext") -> str:
    """`<job>/<epoch>`, for the ledger alone; a plugin has no use for it."""
    job = context._job
    return f"{job.id}/{job.epoch}"


def _search(context: "TrainContext", request: TrainAsk, run: str) -> None:
    def objective(values: dict[str, Any], trial: "Trial") -> float:
        # Of a helper too: the study is what must not run a trial twice.
        note("trial", request.token, run, trial.number)
        _wait(context, request.seconds / TRIALS)
        return float(abs(values["x"] - 3) + (values["kind"] == "a"))

    best = context.optimize(objective, TRIALS, seed=request.seed)
    content = {
        "best.json": json.dumps(best, sort_keys=True).encode(),
        "model": answer(request.token, request.size_bytes),
    }
    context.publish(content, {"error": context.best_value})


def _steps(context: "TrainContext", request: TrainAsk, run: str) -> None:
    done = int(context.checkpoint.load() or b"0")
    note("start", request.token, run, done)
    for step in range(done + 1, STEPS + 1):
        note("step", request.token, run, step)
        _wait(context, request.seconds / STEPS)
        context.checkpoint.save(str(step).encode())
        note("saved", request.token, run, step)
        context.progress(step / STEPS, f"step {step}")
    context.publish({"model": answer(request.token, request.size_bytes)}, {"steps": STEPS})


def _refuse(context: "TrainContext", request: TrainAsk, run: str) -> None:
    from common.jobs.errors import JobRefused

    raise JobRefused("refused, as asked")


def _raise(context: "TrainContext", request: TrainAsk, run: str) -> None:
    raise ValueError("broken, as asked")


def _exit(context: "TrainContext", request: TrainAsk, run: str) -> None:
    raise SystemExit(3)


_WAYS = {"search": _search, "steps": _steps, "refuse": _refuse, "raise": _raise, "exit": _exit}


def _wait(context: "TrainContext", seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        context.check_cancelled()
        time.sleep(min(left_s, 0.1))
