"""What listeners and submitters of the system before this one ask for, with the same fields and answers."""

import math
from typing import Annotated, Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Header, Path, Request, Response

from common.errors import Invalid
from common.jobs.accepted import JobAccepted
from models.scaleout.old_definitions import OldAnswer, OldPrediction, OldTraining, OldUpdate
from models.scaleout.old_submission import OldSubmission
from models.scaleout.system import ScaleoutSystem, system_of

training, prediction, preload, submission = APIRouter(), APIRouter(), APIRouter(), APIRouter()
# Old clients put a slash at the end of the address and one before the path; some did so for this route only.
doubled_prediction = APIRouter()
# By the old prefix that they stand under.
ROUTERS = {
    "/training": training,
    "/prediction": prediction,
    "/preload": preload,
    "/submission": submission,
    "//prediction": doubled_prediction,
    "//preload": preload,
}

# Spark's own time-out for a message between its parts.
_MOST_S = 120.0
TRAIN_PATH = "/scaleout/train"

BaseName = Annotated[str, Path(max_length=128, description="gbt, mpc, logisticregression, kmeans, or a trained name.")]
RestTimeout = Annotated[
    float | None,
    Header(alias="X-Rest-Timeout", description="Seconds within which the listener wants an answer."),
]


@training.post("/trigger_model_training", status_code=202, response_model=JobAccepted)
async def trigger_model_training(request: Request, body: OldTraining) -> Response:
    """Trains as a queued job, where it was done within the request before."""
    from common.jobs.http import accept
    from common.jobs.states import Kind
    from models.scaleout.training_request import training_body

    wanted = await to_thread.run_sync(lambda: training_body(body, system_of(request).store))
    return await accept(
        request, Kind.TRAINING, path=TRAIN_PATH, body=orjson.dumps(wanted), model="scaleout", worker="train"
    )


@training.post("/update_information")
async def update_information(request: Request, body: OldUpdate) -> dict[str, Any]:
    """Records an event."""
    is_known = await system_of(request).online.record(body)
    return {"application_execution_id": body.application_execution_id, "recorded": True, "is_late": not is_known}


@prediction.post("/online_scale_out_prediction", response_model=OldAnswer)
async def online_scale_out_prediction(
    request: Request, response: Response, body: OldPrediction, rest_timeout: RestTimeout = None
) -> dict[str, Any]:
    """Records an event, and answers with a plan within the listener's time-out, whatever happens."""
    system = system_of(request)
    within_s = timeout_s(rest_timeout)
    answer = await system.online.answer(body, predict=body.predict, within_s=within_s)
    response.headers["X-Plan"] = answer.source
    plan = answer.plan or {}
    return {
        "best_predicted_scale_out_per_job": plan.get("scale_outs", []),
        "best_predicted_runtime_per_job": plan.get("runtimes_s", []),
    }


# As often at the end of the prefix.
@prediction.get("/preload/{base_name}")
@prediction.get("//preload/{base_name}")
@prediction.get("/preload//{base_name}")
@doubled_prediction.get("/preload/{base_name}")
@preload.get("/{base_name}")
@preload.get("//{base_name}")
async def preload_model(request: Request, base_name: BaseName) -> dict[str, Any]:
    """Loads a model in every process, so that no listener waits for it."""

    def work(system: ScaleoutSystem) -> dict[str, Any]:
        return system.preloads.ask(base_name)

    return await to_thread.run_sync(work, system_of(request))


@submission.post("/submit")
async def submit(request: Request, body: OldSubmission) -> Response:
    """Chooses with how many executors to begin, keeps the run, and submits it to the cluster."""
    from models.scaleout.submitting import submit as submitted

    return await submitted(request, system_of(request), body)


def timeout_s(given: float | None) -> float | None:
    """
    Raises
    ------
    Invalid
    """
    if given is None:
        return None
    if not math.isfinite(given) or given <= 0:
        raise Invalid.field("X-Rest-Timeout", "is a number of seconds above 0, e.g. 5", given, where="header")
    return min(given, _MOST_S)
