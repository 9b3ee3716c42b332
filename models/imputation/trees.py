"""Random and extra trees forests grown once in full and read at any depth.

A tree grown to the end and cut at depth d has the distribution of one grown with ``max_depth=d`` (splits do not depend
on what lies below them), so every depth is scored from one forest: sklearn's single trees, their bootstrap counts and
the ancestors of each leaf are all that is needed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from common.serving import progress
from models.imputation.growing import Grower
from models.imputation.spec import Floats, Floats32, Ints, Mask, Model

DEPTHS = (2, 3, 5, 8, 12, None)
MIN_LEAF = 2


class _Blank(np.random.bit_generator.ISeedSequence):
    """Fills a new generator with nothing: it is seeded next, and to fill it well takes longer than all else.

    NumPy reads the words one at a time, which is quicker from a list.
    """

    def generate_state(self, n_words: int, dtype: npt.DTypeLike = np.uint32) -> Any:
        return [0] * n_words


_BLANK: Any = _Blank()


def seeded(*words: int) -> np.random.RandomState:
    """A generator of sklearn's kind, determined by the words."""
    state = np.random.RandomState(np.random.MT19937(_BLANK))
    state.seed(np.random.SeedSequence(words).generate_state(4))
    return state


def tried_features(n_features: int) -> int:
    """How many features a split looks at: a third (Breiman 2001 for regression), at least three where there are."""
    return max(min(n_features, 3), -(-n_features // 3))


def bootstrap_counts(groups: Ints, n_draws: int, state: np.random.RandomState) -> Ints:
    """How often each row is drawn, (n_draws, n_rows); rows of one group (country) are drawn together."""
    _, member = np.unique(groups, return_inverse=True)
    n_groups = int(member.max()) + 1
    drawn = state.randint(n_groups, size=(n_draws, n_groups))
    flat = (drawn + np.arange(n_draws)[:, None] * n_groups).ravel()
    counts = np.bincount(flat, minlength=n_draws * n_groups).reshape(n_draws, n_groups)
    picked: Ints = counts[:, member]
    return picked


@dataclass(frozen=True)
class Forest:
    """Full trees with their nodes numbered through.

    Attributes:
        parent, depth: (n_nodes,) of all trees one after the other; a root is its own parent.
        value: (n_nodes,) weighted mean of the training rows in the node.
        counts: (n_trees, n_rows) bootstrap counts of the training rows.
        weights, y: (n_rows,) of the training rows.
        leaves: (n_trees, n_rows) node of each training row.
    """

    trees: tuple[Any, ...]
    offsets: Ints
    parent: Ints
    depth: Ints
    value: Floats
    counts: Ints
    weights: Floats
    y: Floats
    leaves: Ints

    @classmethod
    def grow(
        cls, kind: Model, X: Floats32, y: Floats, w: Floats, groups: Ints, n_trees: int, state: np.random.RandomState
    ) -> "Forest":
        """Grow `n_trees` of `kind` rfr or etr on (n, p) C-contiguous float32; both on bootstrap samples of groups."""
        counts = bootstrap_counts(groups, n_trees, state)
        trees = _grown(kind, X, y, w * counts, state)
        sizes = np.array([tree.node_count for tree in trees])
        offsets = np.cumsum(sizes) - sizes
        start = np.repeat(offsets, sizes)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        inner = np.flatnonzero(left >= 0)
        parent = np.arange(len(left))
        parent[left[inner] + start[inner]] = inner
        parent[right[inner] + start[inner]] = inner
        return cls(
            tuple(trees),
            offsets,
            parent,
            _depths(parent),
            np.concatenate([tree.value for tree in trees])[:, 0, 0],
            counts,
            w,
            y,
            np.stack([tree.apply(X) for tree in trees]) + offsets[:, None],
        )

    @cached_property
    def importances(self) -> Floats:
        """(n_features,) sum to 1."""
        total = np.zeros(self.trees[0].n_features)
        for tree in self.trees:
            total += tree.compute_feature_importances()
        return normalised(total)

    def apply(self, X: Floats32) -> Ints:
        """The leaf of each row in each tree: (n_trees, n_rows)."""
        if not len(X):
            return np.zeros((len(self.trees), 0), np.int64)
        return np.stack([tree.apply(X) for tree in self.trees]) + self.offsets[:, None]

    def cut(self, leaves: Ints, depth: int | None) -> Ints:
        """Leaves replaced by their ancestors at `depth`, one of `DEPTHS`."""
        picked: Ints = self._ancestors(depth)[leaves]
        return picked

    def _ancestors(self, depth: int | None) -> Ints:
        """(n_nodes,) the ancestor at `depth` of each node, itself where it lies no deeper; each depth is made once."""
        if depth not in self._kept:
            found = np.arange(len(self.parent))
            if depth is not None:
                found = self._ancestors(DEPTHS[DEPTHS.index(depth) + 1]).copy()
                deep = np.flatnonzero(self.depth[found] > depth)
                while len(deep):
                    found[deep] = self.parent[found[deep]]
                    deep = deep[self.depth[found[deep]] > depth]
            self._kept[depth] = found
        return self._kept[depth]

    @cached_property
    def _kept(self) -> dict[int | None, Ints]:
        return {}

    def curve(self, leaves: Ints) -> Floats:
        """Predictions at each of `DEPTHS`: (n_depths, n_rows)."""
        return np.stack([self.value[self.cut(leaves, depth)].mean(axis=0) for depth in DEPTHS])

    def out_of_bag(self) -> Mask:
        """(n_trees, n_rows) whether the tree never saw the row."""
        unseen: Mask = self.counts == 0
        return unseen


def normalised(importances: Floats) -> Floats:
    """To sum 1; equal shares where nothing was split."""
    total = importances.sum()
    return importances / total if total > 0 else np.full(len(importances), 1.0 / max(len(importances), 1))


def _depths(parent: Ints) -> Ints:
    """Depth of each node: steps to an ancestor that is twice as far each time, until all are at the root."""
    at = parent
    depth: Ints = (parent != np.arange(len(parent))).astype(np.int64)
    while True:
        further = depth[at]
        if not further.any():
            return depth
        depth += further
        at = at[at]


def _grown(kind: Model, X: Floats32, y: Floats, weights: Floats, state: np.random.RandomState) -> list[Any]:
    splitter: Literal["best", "random"] = "random" if kind is Model.etr else "best"
    grower = Grower(X, splitter, max_features=tried_features(X.shape[1]), min_leaf=MIN_LEAF, state=state)
    grown = []
    for number, row_weights in enumerate(weights):
        progress.report(number / len(weights))
        grown.append(grower.grow(y, row_weights))
    return grown
