"""Parallel trials: a training asks for helpers, jobs of their own that run trials of its study and publish nothing.

A training never waits for a helper to begin: where no worker is free, it runs all trials itself.
"""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from common.errors import AtollError, NotFound
from common.jobs.context import JobContext
from common.jobs.errors import JobRefused
from common.jobs.records import Job
from common.jobs.service import JobService
from common.jobs.states import Kind
from common.plugins.train_route import MAX_PARALLEL

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

QUERY = "parallel_trials"
# Names the training that a job helps; kept in the job's record.
_HELPS = "atoll-helps"


class HelperDone(BaseException):
    """Leaves a helper's `train`, whose trials are done. As `JobCancelled`, not for plugins to catch."""


class Helpers:
    """The helpers of one training, as it or one of them sees it.

    Attributes
    ----------
    is_helper : whether this attempt only runs trials of another job's study.
    study : id of the job whose study it is.
    """

    def __init__(self, context: JobContext, service: JobService) -> None:
        self._job = context.job
        self._context = context
        self._service = service
        helps = self._job.headers.get(_HELPS)
        self.is_helper = helps is not None
        self.study = helps or self._job.id
        if helps is not None:
            helped = self._found(helps)
            if helped and (helped.owner, helped.model) != (self._job.owner, self._job.model):
                raise JobRefused("a helper belongs to a training of the same model and owner")

    def call(self) -> None:
        """Ask for as many helpers as the request says. Asking twice gives the same ones."""
        job = self._job
        if self.is_helper:
            return
        for number in range(1, parallel_trials(job.path)):
            try:
                self._service.submit(
                    Kind.TRAINING,
                    job.path,
                    self._context.body,
                    model=job.model,
                    owner=job.owner,
                    worker=job.worker,
                    headers={**job.headers, _HELPS: job.id},
                    idempotency_key=f"{job.id}-helper-{number}",
                    deadline=job.deadline,
                    traceparent=job.traceparent,
                )
            except AtollError as exc:
                # It goes without.
                self._context.log(f"helper {number} cannot be asked for: {exc.detail}", "warning")

    def is_orphan(self, trial: "FrozenTrial") -> bool:
        """Whether a trial under way belongs to an attempt that is over."""
        from common.jobs.studies import ATTEMPT

        job_id, _, epoch = str(trial.user_attrs.get(ATTEMPT, "")).partition("/")
        if job_id == self._job.id:
            return int(epoch) < self._job.epoch
        owner = self._found(job_id)
        return owner is None or not owner.state.is_active or owner.epoch != int(epoch)

    def is_over(self) -> bool:
        """For a helper: whether the training has ended."""
        helped = self._found(self.study) if self.is_helper else self._job
        return helped is None or helped.state.is_finished

    def check_done(self) -> None:
        """Leave `train` if all that was asked of it were trials."""
        if self.is_helper:
            raise HelperDone

    def _found(self, job_id: str) -> Job | None:
        try:
            return self._service.store.get(job_id)
        except NotFound:
            return None


def parallel_trials(path: str) -> int:
    """How many trials at once the query of a training's path asks for."""
    given = parse_qs(urlsplit(path).query).get(QUERY, ["1"])[-1]
    return min(MAX_PARALLEL, max(1, int(given))) if given.isascii() and given.isdecimal() else 1
