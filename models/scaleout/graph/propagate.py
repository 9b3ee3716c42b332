"""The model's function: messages along the stage graph, level by level, then metrics, overhead and run time.

Written once for NumPy, which answers, and for PyTorch, which trains: `xp` is either module. A leading axis of all
weights counts the members of an ensemble, which are computed together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.scaleout.graph.history import SUMMARY
from models.scaleout.graph.nodes import FEATURES, RUNNING_AT, STATIC, SUMMARY_AT, Inputs
from models.scaleout.graph.running import RUNNING
from models.scaleout.records import Metrics

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)
METRICS = len(Metrics.names())
# Standardised inputs further out than anything seen are taken as at this border.
_BORDER = 5.0


def shapes(hidden: int) -> dict[str, tuple[int, ...]]:
    """Of the weights of one member, by their names; a bias has the name of its weight and `_bias`."""
    decided = hidden + METRICS + 1
    return {
        "nodes": (FEATURES, hidden),
        "past": (SUMMARY, hidden),
        "now": (RUNNING, hidden),
        "attend": (hidden, 1),
        "message": (hidden, hidden),
        "metrics": (hidden, METRICS),
        "overhead": (hidden, 1),
        "second": (decided, hidden),
        "out": (hidden, len(QUANTILES)),
        "linear": (FEATURES, len(QUANTILES)),
    }


@dataclass(frozen=True)
class Outputs:
    """Of all members; nodes in the order of the inputs.

    Attributes
    ----------
    log_s : (m, n, c, 5) natural logarithms of seconds at `QUANTILES`, which never cross.
    metrics : (m, n, c, METRICS); overhead : (m, n, c), the share of the time spent rescaling.
    """

    log_s: Any
    metrics: Any
    overhead: Any


def propagate(weights: Mapping[str, Any], inputs: Inputs, xp: Any = np) -> Outputs:
    """
    Parameters
    ----------
    weights : (m, *shape) by the names of `shapes`; biases (m, 1, 1, width); `mean` and `scale` (FEATURES,).
    inputs : arrays of the kind of `xp`.
    """
    still = _standard(inputs.static, weights, slice(STATIC), xp)
    moving = _standard(inputs.scale, weights, slice(STATIC, FEATURES), xp)
    base = _both(still, moving, weights["nodes"]) + weights["nodes_bias"]
    members, total, count, hidden = base.shape
    wide = (members, total, count, hidden)
    past = xp.broadcast_to(xp.tanh(_dense(still[..., SUMMARY_AT], weights["past"]) + weights["past_bias"]), wide)
    now = xp.broadcast_to(xp.tanh(_dense(still[..., RUNNING_AT], weights["now"]) + weights["now_bias"]), wide)
    known: Any = None
    for first, last in inputs.bounds:
        sent = [past[:, first:last, None], now[:, first:last, None]]
        if known is not None:
            sent.append(known[:, inputs.parents[first:last]])
        senders = xp.concatenate(sent, 2)
        mask = inputs.mask[None, first:last, : senders.shape[2], None]
        # Bounded, so that no exponential runs over.
        attention = xp.exp(3 * xp.tanh(_dense(senders, weights["attend"])[..., 0])) * mask
        attention = attention / attention.sum(2)[:, :, None]
        message = (attention[..., None] * senders).sum(2)
        level = xp.tanh(base[:, first:last] + _dense(message, weights["message"]))
        known = level if known is None else xp.concatenate([known, level], 1)
    metrics = _sigmoid(_dense(known, weights["metrics"]) + weights["metrics_bias"], xp)
    overhead = _sigmoid(_dense(known, weights["overhead"]) + weights["overhead_bias"], xp)
    decided = xp.concatenate([known, metrics, overhead], 3)
    second = xp.tanh(_dense(decided, weights["second"]) + weights["second_bias"])
    out = _dense(second, weights["out"]) + _both(still, moving, weights["linear"]) + weights["out_bias"]
    median = inputs.anchor[None] + out[..., 2]
    low = xp.log1p(xp.exp(xp.clip(out[..., :2], -20, 20)))
    high = xp.log1p(xp.exp(xp.clip(out[..., 3:], -20, 20)))
    lower, upper = median - low[..., 1], median + high[..., 0]
    log_s = xp.stack([lower - low[..., 0], lower, median, upper, upper + high[..., 1]], -1)
    return Outputs(log_s, metrics, overhead[..., 0])


def _standard(x: Any, weights: Mapping[str, Any], part: slice, xp: Any) -> Any:
    return xp.clip((x - weights["mean"][part]) / weights["scale"][part], -_BORDER, _BORDER)


def _both(still: Any, moving: Any, weight: Any) -> Any:
    """As if both were side by side; what is the same for all candidates is multiplied once."""
    return _dense(still, weight[:, :STATIC]) + _dense(moving, weight[:, STATIC:])


def _dense(x: Any, weight: Any) -> Any:
    """(m, ..., width) of (..., size) or (m, ..., size) by (m, size, width)."""
    members, size, width = weight.shape
    if x.ndim > 3:
        return (x.reshape(members, -1, size) @ weight).reshape(*x.shape[:-1], width)
    return (x.reshape(-1, size) @ weight).reshape(members, *x.shape[:-1], width)


def _sigmoid(x: Any, xp: Any) -> Any:
    return 0.5 * (xp.tanh(0.5 * x) + 1)
