"""Nodes of a cluster that its autoscaler orders and gives back. Holds no clock: the simulation says what time it is."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NodeSpec:
    """A pool of nodes.

    Parameters
    ----------
    cores : of a node that pods can have; what the system takes is left out.
    least, most : nodes.
    start_s : from the order to the pod's start, uniformly between the two: VM, kubelet, pull of the image.
    scan_s : how often the autoscaler looks.
    idle_s : how long a node stays empty before it goes.
    """

    cores: float = 1.8
    least: int = 1
    most: int = 5
    start_s: tuple[float, float] = (120.0, 300.0)
    scan_s: float = 10.0
    idle_s: float = 600.0


DEFAULT_NODES = NodeSpec()


@dataclass
class _Node:
    ordered_at: float
    free: float
    empty_since: float | None


class NodePool:
    """Where pods find room. `place` and `release` take cores; `scan` is the autoscaler's look."""

    def __init__(self, spec: NodeSpec, generator: np.random.Generator) -> None:
        self.spec = spec
        self._generator = generator
        self._nodes = {number: _Node(0.0, spec.cores, 0.0) for number in range(spec.least)}
        self._number = spec.least
        self._starting = 0
        self._paid_s = 0.0
        self.most_nodes = spec.least

    @property
    def size(self) -> int:
        """Nodes that are there."""
        return len(self._nodes)

    def place(self, cores: float) -> int | None:
        """The node that takes a pod: the fullest with room, so that others become empty; None if none has."""
        fitting = [(node.free, number) for number, node in self._nodes.items() if node.free >= cores - 1e-9]
        if not fitting:
            return None
        number = min(fitting)[1]
        self._nodes[number].free -= cores
        self._nodes[number].empty_since = None
        return number

    def release(self, number: int, cores: float, now_s: float) -> None:
        """A pod has gone."""
        node = self._nodes[number]
        node.free += cores
        if node.free >= self.spec.cores - 1e-9:
            node.empty_since = now_s

    def scan(self, now_s: float, waiting: int, cores: float) -> list[float]:
        """Order nodes for pods without room, and give back empty ones. When the ordered ones will be ready."""
        spare = [
            number
            for number, node in self._nodes.items()
            if node.empty_since is not None and now_s - node.empty_since >= self.spec.idle_s
        ]
        for number in spare[: max(0, self.size - self.spec.least)] if not waiting else []:
            self._paid_s += now_s - self._nodes.pop(number).ordered_at
        each = max(1, math.floor(self.spec.cores / cores + 1e-9))
        wanted = math.ceil(waiting / each) - self._starting
        ordered = max(0, min(wanted, self.spec.most - self.size - self._starting))
        self._starting += ordered
        return [now_s + float(self._generator.uniform(*self.spec.start_s)) for _ in range(ordered)]

    def arrive(self, now_s: float, ordered_at: float) -> None:
        """An ordered node is there; it is paid from its order on."""
        self._starting -= 1
        self._nodes[self._number] = _Node(ordered_at, self.spec.cores, now_s)
        self._number += 1
        self.most_nodes = max(self.most_nodes, self.size)

    def arrive_now(self) -> None:
        """One more node that was there from the beginning, if the pool may have more."""
        if self.size < self.spec.most:
            self._starting += 1
            self.arrive(0.0, 0.0)

    def paid_s(self, now_s: float) -> float:
        """Node-seconds to pay up to now."""
        return self._paid_s + sum(now_s - node.ordered_at for node in self._nodes.values())
