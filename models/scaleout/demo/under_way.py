"""A carried run played again up to its middle, and what is planned for its rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from common.clock import new_id
from models.scaleout.demo.curve import share
from models.scaleout.demo.question import nearest
from models.scaleout.records import Application
from models.scaleout.rows import told_of

if TYPE_CHECKING:
    from common.client import Client

_APPLICATIONS, _ONLINE = "/scaleout/applications", "/prediction/online_scale_out_prediction"


def half_of(
    runs: Sequence[Application], question: Mapping[str, Any], execution_id: str, executors: int = 1
) -> Application | None:
    """A run like the one that is asked about, as it was when half of its jobs had ended; None where none has several.

    Parameters
    ----------
    runs : the carried ones.
    question : as `question_of` makes it.
    executors : that it should have had; the nearest number is taken.
    """
    mine = [run for run in runs if run.context.algorithm == question["algorithm"] and len(run.jobs) > 1]
    if not mine:
        return None
    like = nearest(mine, int(question["arguments"][0]))
    run = min(like, key=lambda one: abs((one.start_scale_out or 0) - executors))
    jobs = run.jobs[: len(run.jobs) // 2]
    return replace(
        run,
        execution_id=execution_id,
        application_id="",
        target_s=question["target_s"],
        end_s=None,
        end_scale_out=None,
        jobs=jobs,
    )


def planned(client: "Client", run: Application) -> Mapping[str, Any] | None:
    """What Atoll plans for the rest of a run that is under way; afterwards nothing is known of it there.

    Raises
    ------
    AtollClientError
    """
    from common.client.calls import Call

    told, jobs = told_of(run)
    client.predict(_APPLICATIONS, {"applications": [{**told, "jobs": jobs}]})
    path = f"{_APPLICATIONS}/{run.execution_id}"
    try:
        event = {
            "application_execution_id": run.execution_id,
            "update_event": "JOB_END",
            "job_id": run.jobs[-1].job_id,
            "predict": True,
            "updates": {},
        }
        client.predict(_ONLINE, event)
        plan: Mapping[str, Any] | None = client.run(client.flows.get(path))["plan"]
        return plan
    finally:
        client.run(client.flows.send(Call("DELETE", path)))


def sentence(run: Application, plan: Mapping[str, Any]) -> str:
    """The plan in words."""
    last = run.jobs[-1]
    told = f"A run with {_executors(last.end_scale_out or 0)}, played again: after its job {last.job_id} "
    keeps = plan["scale_out"] == last.end_scale_out
    told += "it keeps them" if keeps else f"it gets {_executors(plan['scale_out'])}"
    if plan.get("probability") is not None:
        told += f", done in {run.target_s:.0f} s with a probability of {share(plan['probability'])}"
    return f"{told}. ({plan['why']}; {plan['model']})"


def fresh_id() -> str:
    return f"demo-{new_id()}"


def _executors(count: int) -> str:
    return f"{count} executor{'' if count == 1 else 's'}"
