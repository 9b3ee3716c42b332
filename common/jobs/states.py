"""What a job can be, and what can happen to it. Pure: nothing here reads a clock or a database.

::

               begin            succeed
    queued ------------> running -------> succeeded
      ^  \\                |  |  \\  refuse
      |   \\ cancel  cancel |  |   `-----> failed ----.
      |    \\               v  | retry               | revive
      |     `-> cancelled <- cancelling              | (a person)
      |                        |                     |
      |                        v     exhaust         |
      |                     retrying -------> dead --+
      `----------------------------------------------'

`retrying` waits as `queued` does, after an attempt that went wrong. `expire` ends whatever waits or runs past its
deadline as `failed`. `interrupt` puts a running job back into its queue because its worker has to leave.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a job is for."""

    TRAINING = "training"
    PREDICTION = "prediction"
    SUBMISSION = "submission"


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def is_finished(self) -> bool:
        return self in FINISHED

    @property
    def is_waiting(self) -> bool:
        return self in WAITING

    @property
    def is_active(self) -> bool:
        """An attempt is under way."""
        return self in ACTIVE


class Event(StrEnum):
    """What happens to a job."""

    BEGIN = "begin"
    SUCCEED = "succeed"
    REFUSE = "refuse"
    RETRY = "retry"
    EXHAUST = "exhaust"
    INTERRUPT = "interrupt"
    EXPIRE = "expire"
    STOP = "stop"
    CANCEL = "cancel"
    REVIVE = "revive"


FINISHED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.DEAD})
WAITING = frozenset({State.QUEUED, State.RETRYING})
ACTIVE = frozenset({State.RUNNING, State.CANCELLING})


@dataclass(frozen=True)
class Refusal:
    """An event that cannot happen in this state, and why, for people."""

    reason: str


_WAITING_RULES = {
    Event.BEGIN: State.RUNNING,
    Event.CANCEL: State.CANCELLED,
    Event.EXPIRE: State.FAILED,
    # The backstop: its messages came back too often without ever being handled.
    Event.EXHAUST: State.DEAD,
}
_RUNNING_RULES = {
    Event.SUCCEED: State.SUCCEEDED,
    Event.REFUSE: State.FAILED,
    Event.EXPIRE: State.FAILED,
    Event.RETRY: State.RETRYING,
    Event.EXHAUST: State.DEAD,
    Event.INTERRUPT: State.QUEUED,
    Event.CANCEL: State.CANCELLING,
}
# Whatever becomes of an attempt after somebody was told that the job is being cancelled, the job is cancelled.
_ENDINGS = (
    Event.SUCCEED,
    Event.REFUSE,
    Event.EXPIRE,
    Event.RETRY,
    Event.EXHAUST,
    Event.INTERRUPT,
    Event.STOP,
)
_CANCELLING_RULES = dict.fromkeys(_ENDINGS, State.CANCELLED) | {Event.CANCEL: State.CANCELLING}
_GAVE_UP_RULES = {Event.REVIVE: State.QUEUED}

RULES: dict[State, dict[Event, State]] = {
    State.QUEUED: _WAITING_RULES,
    State.RETRYING: _WAITING_RULES,
    State.RUNNING: _RUNNING_RULES,
    State.CANCELLING: _CANCELLING_RULES,
    State.SUCCEEDED: {},
    State.FAILED: _GAVE_UP_RULES,
    State.CANCELLED: {},
    State.DEAD: _GAVE_UP_RULES,
}


def transition(state: State, event: Event) -> State | Refusal:
    """The state after `event`, or why it cannot happen."""
    after = RULES[state].get(event)
    return after if after is not None else Refusal(_why_not(state, event))


def _why_not(state: State, event: Event) -> str:
    if event is Event.CANCEL:
        return f"the job is {state} already; only a job that has not finished can be cancelled"
    if event is Event.REVIVE:
        return f"the job is {state}; only a failed or dead job can be retried"
    if event is Event.BEGIN and state.is_active:
        return "an attempt is under way"
    return f"a job that is {state} cannot {event}"
