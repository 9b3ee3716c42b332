"""Queued jobs, and the pods that KEDA makes: one for each job (ScaledJob), or workers that stay (ScaledObject)."""

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaling.nodes import DEFAULT_NODES, NodePool, NodeSpec
from benchmarks.scaling.policy import HPA_SYNC_S, Hpa, Replicas, accurate


@dataclass(frozen=True)
class Scaler:
    """How a queue is worked off.

    Parameters
    ----------
    stays : a ScaledObject of workers that stay, else a ScaledJob: `worker --once`, a pod for each job.
    replicas : bounds, and messages for each pod.
    polling_s : how often KEDA looks at the queue.
    slots : jobs that a worker runs at once (`JOB_CONCURRENCY`); a ScaledJob's pod runs one.
    cores : that a pod requests.
    start_s : until its container runs, which KEDA counts as pending.
    boot_s : until it takes its first job: Python, imports, models.
    idle_s : after which `worker --once` ends without a job.
    drain_s : that a worker which is to go has for what runs (`JOB_DRAIN_S`); what takes longer is put back.
    """

    stays: bool
    replicas: Replicas
    polling_s: float = 30.0
    slots: int = 1
    cores: float = 1.0
    start_s: float = 4.0
    boot_s: float = 4.0
    idle_s: float = 10.0
    drain_s: float = 25.0
    nodes: NodeSpec = DEFAULT_NODES


@dataclass(frozen=True)
class Done:
    """What came of it.

    Parameters
    ----------
    arrived, done : jobs; all are done in the end.
    waited_s : (done,) from arrival to the last begin.
    pods : that were started. idle_pods : of them, those that ended without a job.
    given_back : attempts that were cut off and begun again.
    node_s : node-seconds to pay. most_pods, most_nodes : the most at once. lasted_s : until the last job was done.
    """

    arrived: int
    done: int
    waited_s: NDArray[np.float64]
    pods: int
    idle_pods: int
    given_back: int
    node_s: float
    most_pods: int
    most_nodes: int
    lasted_s: float

    def percentile_s(self, share: float) -> float:
        return float(np.percentile(self.waited_s, 100 * share)) if self.done else float("nan")


@dataclass(eq=False)
class _Pod:
    """`jobs` has of each that runs when it will be done."""

    node: int
    jobs: dict[int, float] = field(default_factory=dict)
    is_leaving: bool = False
    is_gone: bool = False
    has_worked: bool = False


def simulate(scaler: Scaler, arrivals: NDArray[np.float64], services: NDArray[np.float64], seed: int) -> Done:
    """Run jobs that arrive at `arrivals` (n,), sorted, and take `services` (n,) seconds, to the last one."""
    return _Simulation(scaler, arrivals.tolist(), services.tolist(), seed).run()


class _Simulation:
    def __init__(self, scaler: Scaler, arrivals: list[float], services: list[float], seed: int) -> None:
        self._scaler = scaler
        self._arrivals, self._services = arrivals, services
        self._slots = scaler.slots if scaler.stays else 1
        self._pool = NodePool(scaler.nodes, np.random.default_rng(seed))
        self._events: list[tuple[float, int, str, object]] = []
        self._count = 0
        self._queue: deque[int] = deque()
        self._working: list[_Pod] = []
        self._idle: list[_Pod] = []
        self._pending = self._booting = self._unplaced = 0
        self._running = 0
        self._hpa = Hpa(scaler.replicas)
        self._began = [0.0] * len(arrivals)
        self._done = self._pods = self._idle_pods = self._given_back = self._most_pods = 0

    def run(self) -> Done:
        scaler, arrivals = self._scaler, self._arrivals
        if scaler.stays:
            for _ in range(scaler.replicas.least):
                self._start(0.0)
            self._push(HPA_SYNC_S, "sync", None)
        else:
            self._push(scaler.polling_s, "poll", None)
        self._push(scaler.nodes.scan_s, "scan", None)
        number, now_s = 0, 0.0
        while self._done < len(arrivals):
            if number < len(arrivals) and arrivals[number] <= self._events[0][0]:
                now_s = arrivals[number]
                self._queue.append(number)
                self._offer(now_s)
                number += 1
                continue
            now_s, _, kind, what = heapq.heappop(self._events)
            getattr(self, kind)(now_s, what)
        waited = np.array(self._began) - np.array(arrivals)
        paid_s, nodes = self._pool.paid_s(now_s), self._pool.most_nodes
        counts = (self._pods, self._idle_pods, self._given_back)
        return Done(len(arrivals), self._done, waited, *counts, paid_s, self._most_pods, nodes, now_s)

    def _push(self, at_s: float, kind: str, what: object) -> None:
        self._count += 1
        heapq.heappush(self._events, (at_s, self._count, kind, what))

    @property
    def _there(self) -> int:
        return self._pending + self._booting + len(self._working)

    def poll(self, now_s: float, _: object) -> None:
        """KEDA looks at a ScaledJob's queue."""
        self._push(now_s + self._scaler.polling_s, "poll", None)
        bounds = self._scaler.replicas
        made = accurate(len(self._queue), self._there, self._pending, round(bounds.target), bounds.most)
        for _new in range(made):
            self._start(now_s)

    def sync(self, now_s: float, _: object) -> None:
        """The HPA of a ScaledObject looks: messages, those in work among them, for each worker."""
        self._push(now_s + HPA_SYNC_S, "sync", None)
        messages = len(self._queue) + self._running
        there = self._there
        if there == 0:
            # From nothing it is KEDA itself that begins; the wait for its poll is on average as long as this one.
            wanted = 1 if messages else 0
        else:
            wanted = self._hpa.decide(now_s, there, messages / self._scaler.replicas.target / there)
        for _new in range(wanted - there):
            self._start(now_s)
        for _gone in range(min(there - wanted, len(self._working))):
            self._leave(self._working.pop(), now_s)

    def _start(self, now_s: float) -> None:
        self._pods += 1
        self._pending += 1
        self._most_pods = max(self._most_pods, self._there)
        node = self._pool.place(self._scaler.cores)
        if node is None:
            self._unplaced += 1
        else:
            self._push(now_s + self._scaler.start_s, "runs", node)

    def runs(self, now_s: float, node: int) -> None:
        self._pending -= 1
        self._booting += 1
        self._push(now_s + self._scaler.boot_s, "ready", node)

    def ready(self, now_s: float, node: int) -> None:
        self._booting -= 1
        pod = _Pod(node)
        self._working.append(pod)
        self._idle.append(pod)
        self._offer(now_s)
        if not self._scaler.stays and not pod.jobs:
            self._push(now_s + self._scaler.idle_s, "tired", pod)

    def _offer(self, now_s: float) -> None:
        """Those who have a slot free take what waits."""
        while self._queue and self._idle:
            pod = self._idle[-1]
            if pod.is_leaving or pod.is_gone:
                self._idle.pop()
                continue
            job = self._queue.popleft()
            self._began[job] = now_s
            end_s = now_s + self._services[job]
            pod.jobs[job] = end_s
            pod.has_worked = True
            self._running += 1
            self._push(end_s, "ended", (pod, job))
            if len(pod.jobs) == self._slots:
                self._idle.pop()

    def ended(self, now_s: float, what: tuple[_Pod, int]) -> None:
        pod, job = what
        if pod.jobs.get(job) != now_s:
            # It was put back.
            return
        was_full = len(pod.jobs) == self._slots
        del pod.jobs[job]
        self._running -= 1
        self._done += 1
        if not self._scaler.stays:
            self._working.remove(pod)
            self._end(pod, now_s)
        elif pod.is_leaving:
            if not pod.jobs:
                self._end(pod, now_s)
        elif was_full:
            self._idle.append(pod)
            self._offer(now_s)

    def tired(self, now_s: float, pod: _Pod) -> None:
        """`worker --once` that found no job ends."""
        if not pod.has_worked:
            self._idle_pods += 1
            self._working.remove(pod)
            self._end(pod, now_s)

    def _leave(self, pod: _Pod, now_s: float) -> None:
        pod.is_leaving = True
        if not pod.jobs:
            self._end(pod, now_s)
        elif max(pod.jobs.values()) > now_s + self._scaler.drain_s:
            self._push(now_s + self._scaler.drain_s, "put_back", pod)

    def put_back(self, now_s: float, pod: _Pod) -> None:
        """What is not done within the drain goes back into the queue, in front of others, and begins anew."""
        for job in list(pod.jobs):
            del pod.jobs[job]
            self._running -= 1
            self._given_back += 1
            self._queue.appendleft(job)
        self._end(pod, now_s)
        self._offer(now_s)

    def _end(self, pod: _Pod, now_s: float) -> None:
        if not pod.is_gone:
            pod.is_gone = True
            self._pool.release(pod.node, self._scaler.cores, now_s)
            # Whoever waits for room has it at once.
            self._place_waiting(now_s)

    def scan(self, now_s: float, _: object) -> None:
        self._push(now_s + self._scaler.nodes.scan_s, "scan", None)
        for at_s in self._pool.scan(now_s, self._unplaced, self._scaler.cores):
            self._push(at_s, "node", now_s)

    def node(self, now_s: float, ordered_at_s: float) -> None:
        self._pool.arrive(now_s, ordered_at_s)
        self._place_waiting(now_s)

    def _place_waiting(self, now_s: float) -> None:
        while self._unplaced and (found := self._pool.place(self._scaler.cores)) is not None:
            self._unplaced -= 1
            self._push(now_s + self._scaler.start_s, "runs", found)
