"""Fits the model with PyTorch: an auto-encoder of the properties, then the weights by the pinball loss of quantiles.

The members of an ensemble are fitted side by side, as one batched product; each begins with other weights.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.scaleout.graph.encodings import CODE, WIDTH, Property, vector
from models.scaleout.graph.nodes import STATIC, Inputs
from models.scaleout.graph.propagate import QUANTILES, propagate, shapes
from models.scaleout.graph.samples import Samples

Arrays = dict[str, NDArray[np.float32]]

_CODER_HIDDEN = 16
_CODER_STEPS = 300
_JOBS_A_BATCH = 512
# Widths of the quantiles at first: ln(1 + e^-2) is 0.13.
_FIRST_WIDTH = -2.0


@dataclass(frozen=True)
class Plan:
    """How to fit.

    Parameters
    ----------
    hidden : width of all layers.
    dropout : share of the encodings that a step does not see.
    metric_weight : of the errors of metrics and overhead beside those of the run time.
    """

    hidden: int = 24
    epochs: int = 40
    learning_rate: float = 5e-3
    weight_decay: float = 1e-3
    dropout: float = 0.1
    metric_weight: float = 0.2
    members: int = 3
    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any], **more: Any) -> "Plan":
        """Of the values of a trial; what they leave out is as above."""
        return replace(cls(), **values, **more)


def fit_coder(properties: Iterable[Property], seed: int) -> Arrays:
    """An auto-encoder of all properties; its encoder's arrays, see `Coder`."""
    torch.manual_seed(seed)
    X = torch.tensor(np.array([vector(value) for value in sorted(properties, key=str)]), dtype=torch.float32)
    sizes = [(WIDTH, _CODER_HIDDEN), (_CODER_HIDDEN, CODE), (CODE, _CODER_HIDDEN), (_CODER_HIDDEN, WIDTH)]
    weights = [(torch.randn(size) / size[0] ** 0.5).requires_grad_() for size in sizes]
    biases = [torch.zeros(size[1], requires_grad=True) for size in sizes]
    optimizer = torch.optim.Adam([*weights, *biases], lr=1e-2)
    for _ in range(_CODER_STEPS):
        h = X
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = torch.tanh(h @ weight + bias)
        loss = ((h @ weights[-1] + biases[-1] - X) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    names = ("coder_first", "coder_first_bias", "coder_second", "coder_second_bias")
    made = (weights[0], biases[0], weights[1], biases[1])
    return {name: array.detach().numpy().copy() for name, array in zip(names, made, strict=True)}


class Fit:
    """Weights under way.

    Attributes
    ----------
    epoch : passes over the samples so far.
    """

    def __init__(self, samples: Samples, plan: Plan) -> None:
        self.plan = plan
        self.epoch = 0
        torch.manual_seed(plan.seed)
        inputs = samples.inputs
        features = np.concatenate([inputs.static[:, 0], inputs.scale[:, 0]], axis=-1)
        # What hardly varies here says nothing, and may lie anywhere in another run.
        scale = features.std(0)
        self._mean = torch.tensor(features.mean(0))
        self._scale = torch.tensor(np.where(scale < 1e-3, 1e3, scale))
        self._weights: dict[str, Any] = {}
        for name, (size, width) in shapes(plan.hidden).items():
            begin = torch.randn(plan.members, size, width) / size**0.5
            self._weights[name] = begin * (0.0 if name == "linear" else 0.1 if name == "out" else 1.0)
            if name not in ("attend", "message", "linear"):
                self._weights[f"{name}_bias"] = torch.zeros(plan.members, 1, 1, width)
        self._weights["out_bias"] += torch.tensor([_FIRST_WIDTH, _FIRST_WIDTH, 0.0, _FIRST_WIDTH, _FIRST_WIDTH])
        for weight in self._weights.values():
            weight.requires_grad_()
        self._batches = _batches(samples, plan.seed)
        self._optimizer = torch.optim.AdamW(
            list(self._weights.values()), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        steps = max(1, plan.epochs * len(self._batches))
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, plan.learning_rate, total_steps=steps + 1, pct_start=0.2
        )
        self._order = np.random.default_rng(plan.seed)

    def run(self, until: int, check: Callable[[], None] = lambda: None) -> float:
        """Go on to the end of epoch `until`; the mean loss of the last one. `check` may raise between steps."""
        loss = float("nan")
        while self.epoch < min(until, self.plan.epochs):
            losses = []
            for place in self._order.permutation(len(self._batches)):
                check()
                losses.append(self._step(*self._batches[place]))
            self.epoch += 1
            loss = float(np.mean(losses))
        return loss

    def arrays(self) -> Arrays:
        """The weights, for `propagate` with NumPy."""
        made = {**self._weights, "mean": self._mean, "scale": self._scale}
        return {name: weight.detach().numpy().astype(np.float32) for name, weight in made.items()}

    def _step(self, inputs: Inputs, targets: "_Targets") -> float:
        if self.plan.dropout:
            kept = (torch.rand(inputs.static.shape) >= self.plan.dropout).float()
            inputs = replace(inputs, static=inputs.static * kept + self._mean[:STATIC] * (1 - kept))
        weights = {**self._weights, "mean": self._mean, "scale": self._scale}
        out = propagate(weights, inputs, torch)
        short = targets.log_s[None, :, None] - out.log_s[:, :, 0]
        levels = torch.tensor(QUANTILES)
        loss = torch.maximum(levels * short, (levels - 1) * short).sum(-1).mean()
        wrong = ((out.metrics[:, :, 0] - targets.metrics) ** 2 * targets.told).sum() / (targets.told.sum() + 1)
        wrong = wrong + ((out.overhead[:, :, 0] - targets.overhead) ** 2).mean()
        loss = loss + self.plan.metric_weight * wrong
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self._weights.values()), 1.0)
        self._optimizer.step()
        self._schedule.step()
        return float(loss.detach())


@dataclass(frozen=True)
class _Targets:
    log_s: Any
    metrics: Any
    told: Any
    overhead: Any


def _batches(samples: Samples, seed: int) -> list[tuple[Inputs, _Targets]]:
    """Whole jobs together, in another order."""
    count = len(samples.job_s)
    order = np.random.default_rng(seed).permutation(count)
    return [_batch(samples, order[start : start + _JOBS_A_BATCH]) for start in range(0, count, _JOBS_A_BATCH)]


def _batch(samples: Samples, jobs: NDArray[np.int64]) -> tuple[Inputs, _Targets]:
    nodes = samples.nodes
    chosen = np.flatnonzero(np.isin(nodes.jobs, jobs))
    place = np.full(len(nodes), -1)
    place[chosen] = np.arange(len(chosen))
    part = replace(
        nodes,
        **{name: getattr(nodes, name)[chosen] for name in ("static", "always", "by_share", "mean_x", "tasks", "cores")},
        jobs=nodes.jobs[chosen],
        parents=tuple(tuple(int(place[parent]) for parent in nodes.parents[at]) for at in chosen),
        levels=nodes.levels[chosen],
    )
    inputs = part.at(samples.starts[chosen, None], samples.ends[chosen, None])
    order = chosen[inputs.order]
    arrays = {name: torch.tensor(getattr(inputs, name)) for name in ("static", "scale", "anchor", "parents", "mask")}
    metrics = samples.metrics[order]
    told = ~np.isnan(metrics)
    targets = _Targets(
        *(
            torch.tensor(array, dtype=torch.float32)
            for array in (samples.log_s[order], np.where(told, metrics, 0.0), told, samples.overhead[order])
        )
    )
    return replace(inputs, **arrays), targets
