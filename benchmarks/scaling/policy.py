"""The decisions of HPA and KEDA. Pure.

Sources: the HPA algorithm at https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (tolerance 10 %,
sync 15 s, 300 s of stabilisation before it scales down, at most the double or 4 more in 15 s, pods that are not ready
count as idle when it scales up); KEDA's ScaledJob at https://keda.sh/docs/latest/reference/scaledjob-spec (`accurate`),
polling 30 s by default.
"""

import math
from collections import deque
from dataclasses import dataclass, field

HPA_SYNC_S = 15.0
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Replicas:
    """Bounds of a Deployment, and what it aims at.

    Parameters
    ----------
    target : utilisation of the CPU requested (0 to 1), or messages for each pod.
    stabilise_s : the largest wish of so long counts, when pods are to go.
    """

    least: int
    most: int
    target: float
    stabilise_s: float = 300.0


@dataclass
class Hpa:
    """HPA of one Deployment: remembers its wishes, for the stabilisation."""

    replicas: Replicas
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def decide(self, now_s: float, current: int, ratio: float) -> int:
        """Pods from now on.

        Parameters
        ----------
        current : pods there are, ready or not.
        ratio : the metric by its target; 1 is what is aimed at.
        """
        wish = current if abs(ratio - 1) <= _TOLERANCE else math.ceil(current * ratio - 1e-9)
        wish = min(max(wish, self.replicas.least), self.replicas.most)
        self._wishes.append((now_s, wish))
        while self._wishes[0][0] < now_s - self.replicas.stabilise_s:
            self._wishes.popleft()
        if wish > current:
            return min(wish, max(2 * current, current + 4))
        return min(current, max(wish for _, wish in self._wishes))


def accurate(waiting: int, running: int, pending: int, target: int, most: int) -> int:
    """Jobs that KEDA's ScaledJob makes at a poll by the strategy `accurate`.

    Parameters
    ----------
    waiting : messages that are visible.
    running : Jobs that have not ended, pending ones among them.
    pending : Jobs whose pod does not run yet.
    target : messages for each Job.
    most : `maxReplicaCount`.
    """
    scale = min(math.ceil(waiting / target), most)
    made = most - running if scale + running > most else scale - pending
    return max(0, made)
