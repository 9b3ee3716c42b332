"""What comparing and clustering cost: CPU time of countries and survey in this process, without HTTP.

`python -m benchmarks.groups` prints a table; a minute on a quiet machine. CPU time hardly depends on who else uses it.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import find
from benchmarks.machine import facts
from models._indicators import load
from models.countries import service as countries
from models.countries.definitions import CountryClusterRequest, CountryRequest
from models.survey import service as surveys
from models.survey.definitions import SurveyRequest

ROUNDS = 5
PROFILE: dict[str, Any] = {"dataset": "gap", "category": "Health", "year": 2010}
WORDS = np.array(["never", "seldom", "often", "always", "no idea"])


def survey(n: int, categorical: int, continuous: int) -> SurveyRequest:
    """Four planted groups, a tenth of the words missing."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, n)
    data: dict[str, list[Any]] = {}
    for at in range(categorical):
        drawn = np.where(rng.random(n) < 0.4, rng.integers(0, 5, n), rng.integers(0, 5, 4)[group])
        gaps = rng.random(n) < 0.1
        data[f"word {at}"] = [None if gap else word for gap, word in zip(gaps, WORDS[drawn].tolist(), strict=True)]
    for at in range(continuous):
        data[f"number {at}"] = (rng.normal(size=4)[group] * 1.5 + rng.normal(size=n)).round(2).tolist()
    metadata = [
        {"Question Name": name, "Type": "categorical" if name.startswith("word") else "continuous", "Factor": "all"}
        for name in data
    ]
    return SurveyRequest(data=data, metadata=metadata, factor="all", max_k=10)


def cpu_s(compute: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median CPU seconds, the first round apart: it imports."""
    compute()
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        compute()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def main() -> None:
    print("\n".join(f"{name}: {value}" for name, value in facts().items()))
    print("\n| question | CPU |\n|---|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        found, notes = find(["world"], Path(scratch))
        print("\n".join(notes), end="")
        if found and found[0].real:
            data = load(found[0].folder, Path(scratch) / "cache")
            one = CountryRequest(**PROFILE, country="FJI")
            print(f"| correlate, world, Health | {1e3 * cpu_s(partial(countries.correlations, data, one)):.1f} ms |")
            for k in (3, 5, "auto"):
                some = CountryClusterRequest(**PROFILE, k=k)
                print(f"| cluster, the same, k {k} | {1e3 * cpu_s(partial(countries.clusters, data, some)):.0f} ms |")
    for n, categorical, continuous in ((1000, 30, 0), (10_000, 50, 0), (10_000, 35, 15), (10_000, 0, 50)):
        asked = survey(n, categorical, continuous)
        taken = cpu_s(partial(surveys.cluster, asked), rounds=2)
        print(f"| survey, {n} rows, {categorical} categorical and {continuous} continuous questions | {taken:.1f} s |")


if __name__ == "__main__":
    main()
