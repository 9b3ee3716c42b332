"""Requests to a Deployment that the HPA scales: pods, nodes, queues, all within one simulated clock.

The ingress deals requests out in turn to the pods that are ready. A pod computes `slots` at once, each on a core as
long as the node has one, and lets `line` wait; more are refused with 503, as Atoll's pool does.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaling.nodes import DEFAULT_NODES, NodePool, NodeSpec
from benchmarks.scaling.policy import HPA_SYNC_S, Hpa, Replicas


@dataclass(frozen=True)
class Fleet:
    """A Deployment and its cluster.

    Parameters
    ----------
    cores : that a pod requests. It may use more: its slots take a core each where the node has them.
    slots : requests that it computes at once.
    line : requests that may wait in it.
    start_s : of a pod on a node that is there: schedule, container, import, load, readiness.
    scales : without it there are `replicas.least` pods, for ever.
    """

    replicas: Replicas
    cores: float = 1.0
    slots: int = 1
    line: int = 256
    start_s: float = 8.0
    scales: bool = True
    nodes: NodeSpec = DEFAULT_NODES


@dataclass(frozen=True)
class Served:
    """What came of it.

    Parameters
    ----------
    arrived, answered, refused : requests; what arrived is one or the other.
    taken_s : (answered,) seconds from arrival to answer, in the order of the answers.
    arrived_s : (answered,) when these arrived.
    mean_in_system : time average of requests that waited or were computed.
    node_s : node-seconds to pay. most_pods, most_nodes : the most at once.
    lasted_s : until the last answer.
    """

    arrived: int
    answered: int
    refused: int
    taken_s: NDArray[np.float64]
    arrived_s: NDArray[np.float64]
    mean_in_system: float
    node_s: float
    most_pods: int
    most_nodes: int
    lasted_s: float

    def percentile_ms(self, share: float) -> float:
        return 1000 * float(np.percentile(self.taken_s, 100 * share)) if self.answered else float("nan")


class _Pod:
    """`line` has (arrival, service) of those who wait."""

    __slots__ = ("busy", "is_leaving", "line", "node")

    def __init__(self, node: int) -> None:
        self.node = node
        self.busy = 0
        self.is_leaving = False
        self.line: deque[tuple[float, float]] = deque()


def poisson(generator: np.random.Generator, steps: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Arrival times of a Poisson process with a rate that changes; `steps` are (seconds, rate a second)."""
    found, begun_s = [], 0.0
    for length_s, rate in steps:
        number = generator.poisson(length_s * rate)
        found.append(np.sort(begun_s + length_s * generator.random(number)))
        begun_s += length_s
    return np.concatenate(found)


def simulate(fleet: Fleet, arrivals: NDArray[np.float64], services: NDArray[np.float64], seed: int) -> Served:
    """Serve requests that arrive at `arrivals` (n,), sorted, and take `services` (n,) seconds on a slot."""
    return _Simulation(fleet, seed).run(arrivals.tolist(), services.tolist())


class _Simulation:
    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._pool = NodePool(fleet.nodes, np.random.default_rng(seed))
        self._events: list[tuple[float, int, str, object]] = []
        self._count = 0
        self._ready: list[_Pod] = []
        self._starting = self._unplaced = 0
        self._turn = 0
        self._hpa = Hpa(fleet.replicas)
        self._inside = 0
        self._used = self._used_area = self._inside_area = self._seen_s = 0.0
        self._on_node: dict[int, int] = {}
        self._capacity_area = 0.0
        self._taken: list[float] = []
        self._arrived: list[float] = []
        self._refused = 0
        self._most_pods = 0

    def run(self, arrivals: list[float], services: list[float]) -> Served:
        for _ in range(self._fleet.replicas.least):
            node = self._pool.place(self._fleet.cores)
            if node is None:
                # The first minutes of a cluster are not what is asked about: what has to be there is there.
                self._pool.arrive_now()
                node = self._pool.place(self._fleet.cores)
            if node is None:
                raise ValueError("the pods that are always there do not fit onto the nodes")
            self._ready.append(_Pod(node))
        self._most_pods = len(self._ready)
        if self._fleet.scales:
            self._push(HPA_SYNC_S, "sync", None)
            self._push(self._fleet.nodes.scan_s, "scan", None)
        end_s = arrivals[-1] if arrivals else 0.0
        number, now_s = 0, 0.0
        while number < len(arrivals) or self._inside:
            if number < len(arrivals) and (not self._events or arrivals[number] <= self._events[0][0]):
                now_s = arrivals[number]
                self._pass(now_s)
                self._arrive(now_s, services[number])
                number += 1
                continue
            now_s, _, kind, what = heapq.heappop(self._events)
            self._pass(now_s)
            getattr(self, kind)(now_s, what)
        lasted_s = max(now_s, end_s)
        return Served(
            len(arrivals),
            len(self._taken),
            self._refused,
            np.array(self._taken),
            np.array(self._arrived),
            self._inside_area / lasted_s if lasted_s else 0.0,
            self._pool.paid_s(lasted_s),
            self._most_pods,
            self._pool.most_nodes,
            lasted_s,
        )

    def _push(self, at_s: float, kind: str, what: object) -> None:
        self._count += 1
        heapq.heappush(self._events, (at_s, self._count, kind, what))

    def _pass(self, now_s: float) -> None:
        """Time goes on: what is averaged over it is added up."""
        gone_s = now_s - self._seen_s
        self._used_area += gone_s * self._used
        self._inside_area += gone_s * self._inside
        self._capacity_area += gone_s * len(self._ready) * self._fleet.cores
        self._seen_s = now_s

    def _arrive(self, now_s: float, service_s: float) -> None:
        if not self._ready:
            self._refused += 1
            return
        self._turn = (self._turn + 1) % len(self._ready)
        pod = self._ready[self._turn]
        if pod.busy < self._fleet.slots:
            self._compute(pod, now_s, now_s, service_s)
        elif len(pod.line) < self._fleet.line:
            pod.line.append((now_s, service_s))
        else:
            self._refused += 1
            return
        self._inside += 1

    def _compute(self, pod: _Pod, now_s: float, arrived_s: float, service_s: float) -> None:
        pod.busy += 1
        sharing = self._on_node[pod.node] = self._on_node.get(pod.node, 0) + 1
        # Decided as it begins: what the others on the node do meanwhile is left out.
        speed = min(1.0, self._fleet.nodes.cores / sharing)
        self._used += speed
        self._push(now_s + service_s / speed, "answer", (pod, arrived_s, speed))

    def answer(self, now_s: float, what: tuple[_Pod, float, float]) -> None:
        pod, arrived_s, speed = what
        self._on_node[pod.node] -= 1
        self._used -= speed
        self._taken.append(now_s - arrived_s)
        self._arrived.append(arrived_s)
        self._inside -= 1
        pod.busy -= 1
        if pod.line:
            self._compute(pod, now_s, *pod.line.popleft())
        elif pod.is_leaving and not pod.busy:
            self._pool.release(pod.node, self._fleet.cores, now_s)

    def sync(self, now_s: float, _: object) -> None:
        """The HPA looks: CPU used since it last did, by what was requested, by the share that is aimed at."""
        self._push(now_s + HPA_SYNC_S, "sync", None)
        ratio = self._used_area / (self._capacity_area * self._fleet.replicas.target) if self._capacity_area else 1.0
        self._used_area = self._capacity_area = 0.0
        there = len(self._ready) + self._starting
        if ratio > 1:
            ratio = max(1.0, ratio * len(self._ready) / there)
        wanted = self._hpa.decide(now_s, there, ratio)
        for _new in range(wanted - there):
            self._start(now_s)
        for _gone in range(min(there - wanted, len(self._ready) - 1)):
            pod = self._ready.pop()
            pod.is_leaving = True
            if not pod.busy:
                self._pool.release(pod.node, self._fleet.cores, now_s)

    def _start(self, now_s: float) -> None:
        self._starting += 1
        node = self._pool.place(self._fleet.cores)
        if node is None:
            self._unplaced += 1
        else:
            self._push(now_s + self._fleet.start_s, "ready", node)

    def ready(self, _now_s: float, node: int) -> None:
        self._starting -= 1
        self._ready.append(_Pod(node))
        self._most_pods = max(self._most_pods, len(self._ready))

    def scan(self, now_s: float, _: object) -> None:
        self._push(now_s + self._fleet.nodes.scan_s, "scan", None)
        for at_s in self._pool.scan(now_s, self._unplaced, self._fleet.cores):
            self._push(at_s, "node", now_s)

    def node(self, now_s: float, ordered_at_s: float) -> None:
        self._pool.arrive(now_s, ordered_at_s)
        # What waits for room has it.
        while self._unplaced and (found := self._pool.place(self._fleet.cores)) is not None:
            self._unplaced -= 1
            self._push(now_s + self._fleet.start_s, "ready", found)
