"""What can go wrong with a job, as exceptions."""

from common.errors import AtollError, NotFound, Stopped


class JobRefused(AtollError):
    """Raised by an executor or a plugin: the job is wrong as asked, and trying again would not help.

    The job becomes `failed`, with the detail as its error text.
    """

    status, title, slug = 422, "Job refused", "job-refused"


class JobCancelled(Stopped):
    """Raised by `JobContext.check_cancelled` to leave the work."""


class Fenced(Exception):
    """This attempt is over: another one took its place, or the job was finished. Its write changed nothing."""


def no_job(job_id: str) -> NotFound:
    """What is answered for a job that is not there, or not to be seen."""
    return NotFound(f"there is no job {job_id[:40]}; it may have been removed, or was never accepted")
