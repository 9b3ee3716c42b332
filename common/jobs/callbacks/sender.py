"""Sends callbacks: at once from the process in which a job ended, what is left over with the scheduler's rounds."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from common.clock import Clock
from common.database import Database
from common.http.addresses import Refused
from common.http.signing import key_of, new_secret, signed_headers
from common.jobs.callbacks.definitions import CallbackInfo
from common.jobs.callbacks.outbox import Callback, Outbox
from common.jobs.records import Job
from common.jobs.retry import Failure, Retry, RetryPolicy, plan_retry
from common.settings import CallbackSettings
from common.telemetry import metrics, tracing
from common.telemetry.logs import get_logger
from common.version import VERSION

if TYPE_CHECKING:
    from common.http.outbound import Answer, Outbound

log = get_logger("atoll.callbacks")

# Waits of 10 s, 20 s, 40 s ... 3 h, each cut by up to a half: 20 tries take 19 to 24 hours.
FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 3 * 3600.0
# Threads that send, in a process; and how many of them one receiver may keep waiting.
SENDERS = 8
_A_HOST = 2
# A claim outlives the call by this much, for what comes before and after it.
_MARGIN_S = 15.0
# Of the answer nothing but the status counts.
_ANSWER_BYTES = 16_384
_SECRET = "callback"  # noqa: S105 - the name of the row
_GONE = 410


class Callbacks:
    """One a process. Nothing runs, and no HTTP client is imported, before the first callback is sent.

    Parameters
    ----------
    outbound : makes the calls; by default as the settings say.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: CallbackSettings,
        *,
        outbound: "Outbound | None" = None,
        rng: random.Random | None = None,
    ) -> None:
        self.outbox = Outbox(
            database,
            clock,
            max_attempts=settings.attempts,
            lease_s=settings.timeout_s + _MARGIN_S,
            longest_wait_s=LONGEST_WAIT_S,
        )
        self._clock = clock
        self._settings = settings
        self._policy = RetryPolicy(settings.attempts, FIRST_WAIT_S, LONGEST_WAIT_S)
        self._outbound = outbound
        self._rng = rng or random.Random()
        self._changed = threading.Condition()
        self._claiming = threading.Lock()
        self._senders = 0
        self._asked = 0
        self._hosts: Counter[str] = Counter()
        self._stopping = False

    def wake(self) -> None:
        """Send what is due, on a thread of its own: a job has ended. Returns at once."""
        with self._changed:
            self._asked += 1
            if self._stopping or self._senders >= SENDERS:
                return
            self._senders += 1
        # A daemon: a receiver that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name="callbacks", daemon=True).start()

    def sweep(self, patience_s: float) -> None:
        """Send what is due, and wait for that to be done, though not for longer than `patience_s`."""
        for _ in range(self.outbox.due(SENDERS)):
            self.wake()
        self._wait_idle(patience_s)
        metrics.CALLBACKS_PENDING.set(self.outbox.pending())

    def stop(self, patience_s: float = 5.0) -> None:
        """Let what is due be sent for `patience_s` more, then take up nothing more."""
        self._wait_idle(patience_s)
        with self._changed:
            self._stopping = True

    def secrets(self) -> tuple[str, ...]:
        """The secrets that sign: those that were set, or the one that all processes of this database share."""
        return self._settings.secrets or (self.outbox.shared_secret(_SECRET, new_secret()),)

    def of(self, job: Job) -> CallbackInfo | None:
        """How far the job's caller has been told of its end; None where nobody asked."""
        is_owed = job.callback_url is not None and job.state.is_finished
        return CallbackInfo.of(job, self.outbox.latest(job.id) if is_owed else None)

    def _wait_idle(self, patience_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._senders == 0, patience_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                asked = self._asked
            if self._send_one():
                continue
            with self._changed:
                # Whoever asked while this thread looked may have meant a row that it did not see.
                if asked == self._asked or self._stopping:
                    self._senders -= 1
                    self._changed.notify_all()
                    return

    def _send_one(self) -> bool:
        """Send one callback that is due; whether there was one. Does not raise: the scheduler tries again."""
        try:
            claimed = self._claim()
            if claimed is None:
                return False
            try:
                self._send(claimed)
            finally:
                with self._changed:
                    self._hosts[claimed.host] -= 1
                    self._hosts += Counter()
        except Exception as exc:
            log.error("callback cannot be sent now", exc_info=exc)
            return False
        return True

    def _claim(self) -> Callback | None:
        # One at a time, or all would claim for the same host before any was seen to.
        with self._claiming:
            with self._changed:
                if self._stopping:
                    return None
                busy = [host for host, count in self._hosts.items() if count >= _A_HOST]
            claimed = self.outbox.claim(busy)
            if claimed is not None:
                with self._changed:
                    self._hosts[claimed.host] += 1
            return claimed

    def _send(self, claimed: Callback) -> None:
        body = claimed.body.encode()
        keys = [key_of(secret) for secret in self.secrets()]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Atoll/{VERSION}",
            **signed_headers(keys, claimed.id, self._clock.now(), body),
        }
        with self._span(claimed) as span:
            failure = self._try(lambda outbound: outbound.call("POST", claimed.url, content=body, headers=headers))
            if failure is not None:
                span.note({}, failure.text)
        if failure is None:
            if self.outbox.delivered(claimed):
                metrics.CALLBACK_TRIES.labels("delivered").inc()
                late_s = (self._clock.now() - claimed.created_at).total_seconds()
                metrics.CALLBACK_DELAY_SECONDS.observe(max(0.0, late_s))
            return
        planned = plan_retry(claimed.attempts, failure, self._policy, self._rng)
        log.warning("callback failed", job=claimed.job_id, attempt=claimed.attempts, error=failure.text)
        if isinstance(planned, Retry):
            if self.outbox.failed(claimed, failure.text, planned.delay_s):
                metrics.CALLBACK_TRIES.labels("failed").inc()
        elif self.outbox.given_up(claimed, failure.text):
            metrics.CALLBACK_TRIES.labels("given_up").inc()

    def _span(self, claimed: Callback) -> AbstractContextManager[tracing.Noted]:
        """Around a try; it belongs to the trace of the request that asked for the job."""
        # Off, which is the default, the job need not be looked for.
        parent = None if tracing.spans is None else self.outbox.traceparent(claimed.job_id)
        told: dict[str, tracing.Value] = {
            "http.request.method": "POST",
            "server.address": claimed.host,
            "atoll.job.id": claimed.job_id,
            "atoll.callback.attempt": claimed.attempts,
        }
        return tracing.span("callback", told, "client", parent)

    def _try(self, call: "Callable[[Outbound], Answer]") -> Failure | None:
        # Brings httpx, which a process that sends nothing does without.
        from common.http.outbound import Limits, Outbound, OutboundError

        if self._outbound is None:
            limits = Limits(
                total_s=self._settings.timeout_s, read_s=self._settings.timeout_s, answer_bytes=_ANSWER_BYTES
            )
            self._outbound = Outbound(self._settings.allowance, limits)
        try:
            answer = call(self._outbound)
        except Refused as exc:
            # Not for good: names change, and so does what is allowed.
            return Failure(f"not sent: the address {exc}")
        except OutboundError as exc:
            return Failure(str(exc))
        return failure_of_answer(answer.status, answer.headers.get("retry-after"))


def failure_of_answer(status: int, retry_after: str | None = None) -> Failure | None:
    """What an answer means; None where the receiver took the event.

    Every refusal is tried again but 410, by which a receiver says that it wants no more: others come from receivers
    that are being deployed, or misconfigured for an hour.
    """
    if 200 <= status < 300:
        return None
    text = f"answered {status}"
    if 300 <= status < 400:
        text += "; redirects are not followed"
    is_number = retry_after is not None and retry_after.isascii() and retry_after.isdecimal()
    seconds = min(float(retry_after[:9]), LONGEST_WAIT_S) if retry_after and is_number else None
    return Failure(text, refused=status == _GONE, retry_after_s=seconds)
