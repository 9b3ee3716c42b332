"""Surveys to ask about."""

from typing import Any

import numpy as np

WORDS = ["never", "seldom", "often", "always"]


def survey(
    seed: int = 0, n: int = 120, k: int = 3, categorical: int = 8, continuous: int = 4, missing: float = 0.1
) -> tuple[list[int], dict[str, list[Any]], list[dict[str, str]]]:
    """Group of each row, the answers by column, and the metadata; groups answer alike most of the time."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % k
    data: dict[str, list[Any]] = {}
    for at in range(categorical):
        own = rng.permutation(4)[:k]
        drawn = np.where(rng.random(n) < 0.75, own[group], rng.integers(0, 4, n))
        data[f"how often {at}"] = [WORDS[level] for level in drawn.tolist()]
    for at in range(continuous):
        values = rng.normal(size=k)[group] * 3 + rng.normal(size=n) + 2.0 * rng.permutation(k)[group]
        data[f"how much {at}"] = (1000 * values).round(1).tolist()
    for column in data.values():
        for row in np.flatnonzero(rng.random(n) < missing).tolist():
            column[row] = None
    metadata = [question(name, "categorical" if "often" in name else "continuous") for name in data]
    return group.tolist(), data, metadata


def question(name: str, kind: str, factor: str = "life") -> dict[str, str]:
    return {"Question Name": name, "Type": kind, "Factor": factor}


def request(data: Any, metadata: Any, **more: Any) -> dict[str, Any]:
    return {"data": data, "metadata": metadata, "factor": "life"} | more
