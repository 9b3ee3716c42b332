"""Whether and when a job that went wrong is tried again. Pure: the caller gives the random numbers."""

import random
from dataclasses import dataclass

from common.errors import AtollError
from common.jobs.errors import JobRefused

# Answers that say "not now": the same request may succeed later. Every other 4xx will be the same again.
RETRYABLE_STATUS = frozenset({408, 423, 424, 425, 429})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon.

    Parameters
    ----------
    max_attempts : attempts in all, the first included.
    base_s : wait after the first failure, in seconds; it doubles with each further one.
    cap_s : longest wait.
    """

    max_attempts: int = 3
    base_s: float = 5.0
    cap_s: float = 600.0


@dataclass(frozen=True)
class Failure:
    """What went wrong, without the exception.

    Parameters
    ----------
    text : for people: one line, no traceback, no secret.
    refused : trying again would not help.
    retry_after_s : what the failing side asked to be left alone for.
    """

    text: str
    refused: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Retry:
    """Try again after `delay_s`."""

    delay_s: float


@dataclass(frozen=True)
class Dead:
    """The attempts are used up."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """It was refused."""

    reason: str


Decision = Retry | Dead | Failed


def plan_retry(attempt: int, error: Failure, policy: RetryPolicy, rng: random.Random) -> Decision:
    """What to do after attempt number `attempt` (from 1) went wrong.

    The wait is drawn from the upper half of `base_s * 2^(attempt - 1)`, cut at `cap_s`: jobs that failed together
    come back apart, yet never at once.
    """
    if error.refused:
        return Failed(error.text)
    if attempt >= policy.max_attempts:
        return Dead(error.text)
    # The exponent is bounded, since a float is.
    longest = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 60))
    delay_s = longest * rng.uniform(0.5, 1.0)
    return Retry(min(max(delay_s, error.retry_after_s or 0.0), policy.cap_s))


def failure_of(error: BaseException) -> Failure:
    """What an exception that left an executor means for the job."""
    if isinstance(error, JobRefused):
        return Failure(error.detail, refused=True)
    if isinstance(error, AtollError):
        return failure_of_status(error.status, error.detail, error.headers.get("Retry-After"))
    if isinstance(error, MemoryError):
        return Failure("the job needs more memory than its worker has", refused=True)
    if isinstance(error, SystemExit):
        return Failure(f"the model's code ended with exit code {error.code}", refused=True)
    return Failure(f"{type(error).__name__}: {error}".rstrip(": "))


def failure_of_status(status: int, text: str, retry_after: str | None = None) -> Failure:
    """What an HTTP answer other than success means for the job."""
    refused = 400 <= status < 500 and status not in RETRYABLE_STATUS
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return Failure(text, refused=refused, retry_after_s=seconds)
