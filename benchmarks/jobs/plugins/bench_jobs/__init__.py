"""The model whose predictions are the benchmark's jobs."""

import asyncio

from fastapi import APIRouter

from benchmarks.jobs import marks
from common.plugins import BaseDefinition, Plugin, param

router = APIRouter(prefix="/bench_jobs", tags=["Benchmark"])


class Work(BaseDefinition):
    """One job."""

    marks: str = param(title="Marks", description="File to write to; nothing is written for an empty one.")
    sent: float = param(title="Sent", description="When the job was sent, as Unix time.")
    sleep_s: float = param(0, title="Sleep", description="Seconds to sleep.")


class Done(BaseDefinition):
    """The answer."""

    done: bool = param(title="Done")


@router.post("/predict", summary="Write a mark and sleep")
async def predict(body: Work) -> Done:
    if body.marks:
        marks.mark(body.marks, body.sent)
    if body.sleep_s:
        await asyncio.sleep(body.sleep_s)
    return Done(done=True)


plugin = Plugin(title="Benchmark of jobs", examples={"nothing": {"marks": "", "sent": 0}})
