"""A load test with a fixed crowd on one host: each user waits for an answer before asking again.

The host answers strictly one after the other in each of its processes, as an event loop does in which a model computes.
Two things can go wrong, as they do on real hosts: a caller gives up while the host, which does not notice, computes on;
and a liveness probe that gets no answer has the host restarted, which cuts off whoever waits.
"""

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np

from benchmarks.scaling.service import lognormal


@dataclass(frozen=True)
class Host:
    """What is tested.

    Parameters
    ----------
    service_s : mean time of a request, nothing else being asked.
    spread : deviation of its logarithm.
    processes : each with a queue of its own; users stay with theirs.
    patience_s : after which a caller gives up.
    probe_s : between liveness probes; 0 for none.
    probe_patience_s : how long a probe waits.
    probe_failures : so many in a row restart the host.
    restart_s : until it answers again; callers wait meanwhile.
    """

    service_s: float
    spread: float = 0.3
    processes: int = 1
    patience_s: float = float("inf")
    probe_s: float = 0.0
    probe_patience_s: float = 30.0
    probe_failures: int = 3
    restart_s: float = 20.0


@dataclass(frozen=True)
class Crowd:
    """20 users, started over a minute, 20 requests each: the plan of the old test."""

    users: int = 20
    ramp_s: float = 60.0
    loops: int = 20


@dataclass(frozen=True)
class Report:
    """What a load generator reports.

    Parameters
    ----------
    per_minute : samples, failed ones among them, as JMeter counts its throughput.
    errors : share of the samples.
    mean_s, p99_s : of answered samples.
    answered, failed : samples; together all that were asked.
    """

    per_minute: float
    errors: float
    mean_s: float
    p99_s: float
    answered: int
    failed: int
    restarts: int


def run(host: Host, crowd: Crowd, seed: int) -> Report:
    """One test."""
    state = _State(host, crowd, seed)
    for user in range(crowd.users):
        state.push(user * crowd.ramp_s / crowd.users, "ask", user)
    if host.probe_s:
        state.push(host.probe_s, "probe", 0)
    while state.events and len(state.taken_s) + state.failed < crowd.users * crowd.loops:
        now_s, _, kind, who = heapq.heappop(state.events)
        state.now_s = now_s
        getattr(state, kind)(who)
    taken = np.array(state.taken_s or [0.0])
    answered = len(state.taken_s)
    samples = answered + state.failed
    return Report(
        60 * samples / state.now_s,
        state.failed / samples,
        float(taken.mean()),
        float(np.percentile(taken, 99)),
        answered,
        state.failed,
        state.restarts,
    )


class _State:
    """The events of one test. A request is a number; `_open` has whose it is and when it was asked, while it counts."""

    def __init__(self, host: Host, crowd: Crowd, seed: int) -> None:
        self.host, self.crowd = host, crowd
        self.events: list[tuple[float, int, str, int]] = []
        self.now_s = 0.0
        self.taken_s: list[float] = []
        self.failed = self.restarts = 0
        self._count = self._missed = 0
        self._life = [0] * host.processes
        self._lines: list[deque[int]] = [deque() for _ in range(host.processes)]
        self._busy: list[int | None] = [None] * host.processes
        self._up_at_s = 0.0
        self._open: dict[int, tuple[int, float]] = {}
        self._asked = [0] * crowd.users
        number = 4 * crowd.users * crowd.loops
        self._services = lognormal(np.random.default_rng(seed), number, host.service_s, host.spread).tolist()

    def push(self, at_s: float, kind: str, who: int) -> None:
        self._count += 1
        heapq.heappush(self.events, (at_s, self._count, kind, who))

    def ask(self, user: int) -> None:
        if self._asked[user] == self.crowd.loops:
            return
        self._asked[user] += 1
        request = self._count + 1
        self._open[request] = (user, self.now_s)
        self.push(self.now_s + self.host.patience_s, "give_up", request)
        place = user % self.host.processes
        self._lines[place].append(request)
        self._begin(place)

    def give_up(self, request: int) -> None:
        """The caller is gone; the request stays in line, because nobody told the host."""
        if request in self._open:
            self._fail(request)

    def done(self, ticket: int) -> None:
        place, life = ticket % self.host.processes, ticket // self.host.processes
        if life != self._life[place]:
            return
        request = self._busy[place]
        self._busy[place] = None
        if request is not None and request in self._open:
            user, asked_s = self._open.pop(request)
            self.taken_s.append(self.now_s - asked_s)
            self.ask(user)
        self._begin(place)

    def up(self, place: int) -> None:
        self._begin(place)

    def probe(self, _: int) -> None:
        """The probe stands in line as everybody does: it fails where the work before it takes too long."""
        self.push(self.now_s + self.host.probe_s, "probe", 0)
        if self.now_s < self._up_at_s:
            return
        waits_s = max(len(line) + (busy is not None) for line, busy in zip(self._lines, self._busy, strict=True))
        late = waits_s * self.host.service_s > self.host.probe_patience_s
        self._missed = self._missed + 1 if late else 0
        if self._missed >= self.host.probe_failures:
            self._restart()

    def _restart(self) -> None:
        self.restarts += 1
        self._missed = 0
        self._up_at_s = self.now_s + self.host.restart_s
        for place, line in enumerate(self._lines):
            busy = self._busy[place]
            cut = list(line) if busy is None else [*line, busy]
            line.clear()
            self._busy[place] = None
            self._life[place] += 1
            self.push(self._up_at_s, "up", place)
            for request in cut:
                if request in self._open:
                    self._fail(request)

    def _fail(self, request: int) -> None:
        user, _ = self._open.pop(request)
        self.failed += 1
        self.ask(user)

    def _begin(self, place: int) -> None:
        if self._busy[place] is None and self._lines[place] and self.now_s >= self._up_at_s:
            self._busy[place] = self._lines[place].popleft()
            ticket = place + self.host.processes * self._life[place]
            # With the life in it, so that a service that was cut off does not end another one.
            took_s = self._services.pop() if self._services else self.host.service_s
            self.push(self.now_s + took_s, "done", ticket)
