"""What every queue can do, and how queues are named."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.jobs.states import Kind

POISON = "-poison"
# Azure allows 63 characters, of which the poison queue's ending takes some.
_NAME_CHARS = 63 - len(POISON)


@dataclass(frozen=True)
class Message:
    """A message that this process holds until its lease ends.

    Parameters
    ----------
    receipt : proves that this process holds it; changes when the lease is renewed.
    dequeue_count : how often it was received, this time included.
    """

    id: str
    queue: str
    job_id: str
    receipt: str
    dequeue_count: int


@dataclass(frozen=True)
class Depth:
    """How much waits in a queue. `oldest` is when its oldest message was sent, where the queue can tell."""

    length: int
    oldest: datetime | None = None


class Queue(Protocol):
    """Named queues with at-least-once delivery: a message may come twice, late, or out of order."""

    def send(self, queue: str, job_id: str, delay_s: float = 0.0) -> None:
        """Send a message that becomes visible after `delay_s`."""

    def ready(self, queues: Sequence[str]) -> Sequence[str]:
        """Those of `queues` in which it is worth looking for messages."""

    def receive(self, queue: str, limit: int, visibility_s: float) -> list[Message]:
        """At most `limit` messages, hidden from others for `visibility_s`."""

    def renew(self, message: Message, visibility_s: float) -> Message | None:
        """Hide a message for `visibility_s` from now; 0 gives it back. None: another one holds it, or it is gone."""

    def delete(self, message: Message) -> None:
        """The message has done its duty. Harmless if another one holds it by now."""

    def poison(self, message: Message) -> None:
        """Move a message that cannot be handled to `<queue>-poison`, for people to look at."""

    def depth(self, queue: str) -> Depth:
        """How much waits in a queue, hidden messages included."""

    def wait(self, timeout_s: float) -> None:
        """Sleep until a message may have come, `timeout_s` at most."""

    def wake(self) -> None:
        """End the sleep of those who wait."""

    @property
    def poll_s(self) -> float:
        """How long to sleep, at most, between looks at empty queues."""

    def close(self) -> None:
        """Give back what is held open."""


def queue_name(kind: Kind, worker: str, services: Sequence[str] = ()) -> str:
    """`<kind>-<worker>`, with `-<service>` for a process that serves only some models.

    Azure's rules: 3 to 63 characters, lower-case letters, digits and single hyphens. A name that is too long is cut,
    with a hash in place of the rest.
    """
    text = re.sub(r"[^a-z0-9]+", "-", "-".join([kind, worker, *services]).lower()).strip("-")
    if len(text) <= _NAME_CHARS:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _NAME_CHARS - 9].rstrip('-')}-{digest}"
