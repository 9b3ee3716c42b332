"""Trees of scikit-learn in files of strangers: their arrays are walked by compiled code that looks at no bounds.

A file may therefore hold them only if every branch leads on to a node that is there, and every feature exists.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid

Ints = NDArray[np.int64]

_DEEPEST = 50


def check_trees(estimator: Any) -> None:
    """
    Raises
    ------
    Invalid
        A tree leads out of its arrays, or in a circle.
    """
    for tree in _trees(estimator, set(), 0):
        if type(tree).__name__ == "Tree":
            _check_tree(tree)
        else:
            _check_predictor(tree)


def thresholds(estimator: Any) -> list[tuple[int, float]]:
    """Features and the values at which plain trees branch; empty for others."""
    found = []
    for tree in _trees(estimator, set(), 0):
        if type(tree).__name__ == "Tree":
            inner = tree.children_left >= 0
            found += list(zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True))
    return found


def check_branches(left: Ints, right: Ints, feature: Ints, leaves: NDArray[np.bool_], columns: int) -> None:
    """Check a tree whose branches are numbered from its root on.

    Parameters
    ----------
    left, right : (nodes,) numbers of the nodes below; each is higher than its parent's, so that no circle is left.
    leaves : (nodes,) whether a node has none below.
    columns : features that there are.

    Raises
    ------
    Invalid
    """
    count = len(left)
    inner = ~leaves
    places = np.arange(count)[inner]
    sound = len(right) == count == len(feature) == len(leaves) and all(
        bool(np.all((side[inner] > places) & (side[inner] < count))) for side in (left, right)
    )
    _require(sound and bool(np.all((feature[inner] >= 0) & (feature[inner] < columns))))


def _check_tree(tree: Any) -> None:
    count, left, right, feature = tree.node_count, tree.children_left, tree.children_right, tree.feature
    places = np.arange(count)
    inner = left != -1
    sound = (
        len(left) == count
        and count > 0
        and bool(np.all((left[inner] > places[inner]) & (left[inner] < count)))
        and bool(np.all((right[inner] > places[inner]) & (right[inner] < count)))
        and bool(np.all((feature[inner] >= 0) & (feature[inner] < tree.n_features)))
        and tree.value.shape[0] == count
    )
    _require(sound)


def _check_predictor(tree: Any) -> None:
    nodes = tree.nodes
    places = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    count = len(nodes)
    columns = {name: nodes[name].astype(np.int64)[inner] for name in ("left", "right", "feature_idx", "bitset_idx")}
    categorical = nodes["is_categorical"][inner].astype(bool)
    bitsets = min(len(tree.binned_left_cat_bitsets), len(tree.raw_left_cat_bitsets))
    sound = (
        count > 0
        and all(bool(np.all((columns[side] > places[inner]) & (columns[side] < count))) for side in ("left", "right"))
        and bool(np.all(columns["feature_idx"] >= 0))
        and bool(np.all(columns["feature_idx"] < 1 << 20))
        and bool(np.all(columns["bitset_idx"][categorical] < bitsets))
    )
    _require(sound)


def _require(sound: bool) -> None:
    if not sound:
        raise Invalid("a tree in the file leads out of its own arrays; the file is damaged, write it anew")


def _trees(found: Any, seen: set[int], depth: int) -> Iterator[Any]:
    """All trees within an object."""
    if depth > _DEEPEST or id(found) in seen:
        return
    seen.add(id(found))
    if type(found).__name__ in ("Tree", "TreePredictor") and type(found).__module__.startswith("sklearn."):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from _trees(value, seen, depth + 1)
    elif isinstance(found, list | tuple | set) or (isinstance(found, np.ndarray) and found.dtype == object):
        for value in found.ravel() if isinstance(found, np.ndarray) else found:
            yield from _trees(value, seen, depth + 1)
    elif type(found).__module__.startswith("sklearn.") and hasattr(found, "__dict__"):
        for value in vars(found).values():
            yield from _trees(value, seen, depth + 1)
