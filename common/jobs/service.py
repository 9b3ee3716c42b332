"""What routes do with jobs: submit, cancel, retry. Record first, enqueue second; the scheduler repairs the gap."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from common.clock import Clock, new_id
from common.errors import Invalid, TooManyRequests
from common.http.addresses import Allowance, Refused
from common.jobs.callbacks.event import masked
from common.jobs.handling import Handler
from common.jobs.queues.base import queue_name
from common.jobs.records import Accepted, Draft, Job
from common.jobs.rows import Also
from common.jobs.runner import Runner
from common.jobs.states import Kind
from common.jobs.store import JobStore
from common.security.ownership import MARK_PREFIX, MARKS
from common.settings import JobSettings
from common.telemetry import metrics, tracing

KEY_CHARS = 256

# What a replay needs. Never credentials, nor `Prefer`, which would queue the replay anew.
_KEPT_HEADERS = frozenset({"accept", "accept-language", "cache-control", "content-type", "x-request-id"})
# Headers that may differ between two requests for the same.
_UNHASHED = frozenset({"x-request-id", *MARKS})


class JobService:
    """The kernel as the rest of the app sees it. Reading goes through `store`.

    Parameters
    ----------
    services : the models that this process serves, where not all; they name its queues.
    allow : where callbacks may go.

    Attributes
    ----------
    handler : whoever runs jobs in this process, to be told at once when one is cancelled.
    """

    def __init__(
        self,
        store: JobStore,
        runner: Runner,
        settings: JobSettings,
        clock: Clock,
        services: Sequence[str] = (),
        allow: Allowance = Allowance(),
    ) -> None:
        self.store = store
        self._runner = runner
        self._settings = settings
        self._clock = clock
        self._services = services
        self._allow = allow
        self.handler: Handler = runner

    def submit(
        self,
        kind: Kind,
        path: str,
        body: bytes = b"",
        *,
        model: str = "",
        owner: str = "",
        worker: str = "cpu",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        callback_url: str | None = None,
        deadline: datetime | None = None,
        traceparent: str | None = None,
        max_attempts: int | None = None,
        max_open: int = 0,
        also: Also | None = None,
    ) -> Accepted:
        """Accept a job; once this returns it will not be lost.

        Parameters
        ----------
        path : of the request, with its query.
        owner : who may see it; keys of different owners are different keys.
        worker : the class of workers that can run it.
        headers : of the request; those that a replay needs are kept, credentials never are. With what the owner may
            do (`marks`); without it the job is Atoll's own.
        idempotency_key : the same key and the same request within 24 hours are the same job.
        callback_url : where an event is posted when the job has ended.
        deadline : when it is of no use any more.
        max_open : how many jobs of the owner may wait or run, this one among them; 0 for any.
        also : done to a new job in the transaction that records it.

        Raises
        ------
        Invalid
            A value cannot be used, or the key was used for another request.
        TooManyRequests
            As many jobs of the owner are open as may be.
        """
        kept = _kept(headers or {})
        draft = Draft(
            id=new_id(self._clock),
            kind=kind,
            queue=queue_name(kind, worker, self._services),
            path=path,
            model=model,
            owner=owner,
            worker=worker,
            method=method,
            headers=kept,
            body=body,
            idempotency_key=_checked_key(idempotency_key),
            body_hash=_hash(kind, method, path, kept, body),
            callback_url=self._checked_url(callback_url),
            deadline=deadline,
            traceparent=traceparent[:64] if traceparent else None,
            max_attempts=max_attempts or self._settings.max_attempts,
            max_open=max_open,
        )
        if deadline is not None and deadline <= self._clock.now():
            raise Invalid.field(
                "deadline", "has passed; send a time in the future", deadline.isoformat(), where="header"
            )
        told = {"messaging.operation.name": "send", "messaging.destination.name": draft.queue, "atoll.model": model}
        with tracing.span(f"send {draft.queue}", told, "producer", traceparent) as sending:
            if sending.traceparent is not None:
                # The attempts belong to the sending, wherever they run.
                draft = replace(draft, traceparent=sending.traceparent)
            with _counting_refusals():
                accepted = self.store.accept(draft, also)
            sending.note({"messaging.message.id": accepted.job.id, "atoll.job.is_new": accepted.is_new})
            if accepted.is_new:
                metrics.JOBS_ACCEPTED.labels(kind.value).inc()
                self._runner.enqueue(accepted.job)
        return accepted

    def cancel(self, job_id: str, also: Also | None = None) -> Job:
        """Cancel a job that waits or runs, and do `also` in the same transaction.

        Raises `NotFound`, or `Conflict` if it has finished.
        """
        job = self.store.request_cancel(job_id, also)
        self.handler.cancel_here(job_id)
        if job.state.is_finished:
            self._runner.call_back(job)
        return job

    def retry(self, job_id: str, *, max_open: int = 0, also: Also | None = None) -> Job:
        """Run a failed or dead job again, and do `also` in the same transaction.

        Raises `NotFound`, `Conflict` in any other state, or `TooManyRequests`.
        """
        with _counting_refusals():
            job = self.store.retry_by_person(job_id, max_open=max_open, also=also)
        self._runner.enqueue(job)
        return job

    def _checked_url(self, url: str | None) -> str | None:
        """Refuse what could never be called; where the name leads is looked up when it is."""
        if url is None:
            return None
        try:
            self._allow.check_url(url)
        except Refused as exc:
            raise Invalid.field("X-Callback-Url", str(exc), masked(url), where="header") from None
        return url


@contextlib.contextmanager
def _counting_refusals() -> Iterator[None]:
    try:
        yield
    except TooManyRequests:
        metrics.LIMITED.labels("jobs").inc()
        raise


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name in _KEPT_HEADERS or name.startswith(MARK_PREFIX)}


def _hash(kind: Kind, method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """What makes two requests the same. Lengths go in, so that parts cannot run into each other."""
    named = [f"{name}:{value}" for name, value in sorted(headers.items()) if name not in _UNHASHED]
    digest = hashlib.sha256()
    for part in [kind.encode(), method.encode(), path.encode(), "\n".join(named).encode(), body]:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _checked_key(key: str | None) -> str | None:
    if key is not None and not (0 < len(key) <= KEY_CHARS and key.isprintable()):
        raise Invalid.field("Idempotency-Key", f"is 1 to {KEY_CHARS} printable characters", key, where="header")
    return key
