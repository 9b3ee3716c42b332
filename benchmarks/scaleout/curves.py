"""Curves of run time over scale-out on the runs of Bell's publication: six jobs at 4 to 60 nodes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.scaleout.published import table
from benchmarks.scaleout.tables import Table
from models.scaleout.learning.bell import Bell, Curve
from models.scaleout.learning.context import ContextModel
from models.scaleout.learning.ernest import Ernest
from models.scaleout.records import Application, Context

Floats = NDArray[np.float64]

_MODELS = ("Ernest", "Bell", "ours")


def run() -> list[Table]:
    """Each scale-out left out in turn: those between the others, and the largest, which lies beyond them."""
    found = Table(
        "Bell's runs, a scale-out left out (mean relative error %, of the mean of its runs)",
        (
            "job",
            "runs",
            "scale-outs",
            *(f"{name}, between" for name in _MODELS),
            *(f"{name}, beyond" for name in _MODELS),
        ),
    )
    totals: list[list[float]] = []
    for name, runs in table("bell").groupby(["system", "algorithm"]):
        nodes, seconds = runs.Nodes.to_numpy(float), runs.Runtime.to_numpy(float) / 1000.0
        different = np.unique(nodes)
        errors: dict[str, dict[bool, list[float]]] = {model: {False: [], True: []} for model in _MODELS}
        # Without the smallest, which nobody asks for who has only larger ones.
        for left_out in different[1:]:
            known = nodes != left_out
            true = float(seconds[~known].mean())
            for model, fit in _fits().items():
                said = float(fit(nodes[known], seconds[known]).predict([left_out])[0])
                errors[model][bool(left_out == different[-1])].append(100.0 * abs(said - true) / true)
        line = [float(np.mean(errors[model][beyond])) for beyond in (False, True) for model in _MODELS]
        totals.append(line)
        title = " ".join(str(part) for part in name) if isinstance(name, tuple) else str(name)
        found.add(title, str(len(runs)), str(len(different)), *(f"{value:.1f}" for value in line))
    found.add("mean", "", "", *(f"{value:.1f}" for value in np.mean(totals, axis=0)))
    return [found]


def _fits() -> dict[str, Callable[[Floats, Floats], Curve]]:
    return {"Ernest": Ernest.fit, "Bell": Bell.fit, "ours": _Ours}


class _Ours:
    """The context model of runs that differ in their scale-out only."""

    def __init__(self, nodes: Floats, seconds: Floats) -> None:
        self._context = Context("spark", "any")
        runs = [
            Application(str(place), self._context, start_s=0.0, end_s=float(time), start_scale_out=int(count))
            for place, (count, time) in enumerate(zip(nodes, seconds, strict=True))
        ]
        self._model = ContextModel.fit(runs, self._context)

    def predict(self, scale_outs: ArrayLike) -> Floats:
        asked = [float(value) for value in np.atleast_1d(np.asarray(scale_outs, float))]
        return np.array([forecast.median_s for forecast in self._model.predict(self._context, asked)])
