"""The body of a 202."""

from pydantic import BaseModel

from common.jobs.records import Job
from common.jobs.states import Kind, State


class JobAccepted(BaseModel):
    """A job was recorded, and will not be lost."""

    id: str
    kind: Kind
    model: str
    state: State
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> "JobAccepted":
        return cls(id=job.id, kind=job.kind, model=job.model, state=job.state, links=links(job.id))


def links(job_id: str) -> dict[str, str]:
    """Where to ask about a job."""
    place = f"/jobs/{job_id}"
    return {"self": place, "result": f"{place}/result", "logs": f"{place}/logs", "trials": f"{place}/trials"}
