"""Random and extra trees forests grown once in full and read at any depth.

A tree grown to the end and cut at depth d has the distribution of one grown with ``max_depth=d`` (splits do not depend
on what lies below them), so every depth is scored from one forest: sklearn's single trees, their bootstrap counts and
the ancestors of each leaf are all that is needed.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from common.serving import progress
from models.imputation.growing import Grower
from models.imputation.spec import Floats, Floats32, Ints, Mask, Model

DEPTHS = (2, 3, 5, 8, 12, None)
MIN_LEAF = 2


def seeded(*words: int) -> np.random.RandomState:
    """A generator of sklearn's kind, determined by the words."""
    return np.random.RandomState(np.random.SeedSequence(words).generate_state(4))


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
    importances: Floats

    @classmethod
    def grow(
        cls, kind: Model, X: Floats32, y: Floats, w: Floats, groups: Ints, n_trees: int, state: np.random.RandomState
    ) -> "Forest":
        """Grow `n_trees` of `kind` rfr or etr on (n, p) C-contiguous float32; both on bootstrap samples of groups."""
        counts = bootstrap_counts(groups, n_trees, state)
        trees, parents, values, leaves, offsets = [], [], [], [], []
        importances = np.zeros(X.shape[1])
        start = 0
        for tree in _grown(kind, X, y, w * counts, state):
            n_nodes = tree.node_count
            parent = np.arange(n_nodes)
            inner = np.flatnonzero(tree.children_left >= 0)
            parent[tree.children_left[inner]] = inner
            parent[tree.children_right[inner]] = inner
            trees.append(tree)
            offsets.append(start)
            parents.append(parent + start)
            values.append(tree.value[:, 0, 0])
            leaves.append(tree.apply(X) + start)
            importances += tree.compute_feature_importances()
            start += n_nodes
        parent = np.concatenate(parents)
        return cls(
            tuple(trees),
            np.array(offsets),
            parent,
            _depths(parent),
            np.concatenate(values),
            counts,
            w,
            y,
            np.stack(leaves),
            normalised(importances),
        )

    def apply(self, X: Floats32) -> Ints:
        """The leaf of each row in each tree: (n_trees, n_rows)."""
        if not len(X):
            return np.zeros((len(self.trees), 0), np.int64)
        return np.stack([tree.apply(X) for tree in self.trees]) + self.offsets[:, None]

    def cut(self, leaves: Ints, depth: int | None) -> Ints:
        """Leaves replaced by their ancestors at `depth`."""
        picked: Ints = self._raised(np.arange(len(self.parent)), depth)[leaves]
        return picked

    def _raised(self, ancestor: Ints, depth: int | None) -> Ints:
        """`ancestor` (n_nodes,) moved up in place until none is deeper than `depth`."""
        if depth is not None:
            deep = np.flatnonzero(self.depth[ancestor] > depth)
            while len(deep):
                ancestor[deep] = self.parent[ancestor[deep]]
                deep = deep[self.depth[ancestor[deep]] > depth]
        return ancestor

    def curve(self, leaves: Ints) -> Floats:
        """Predictions at each of `DEPTHS`: (n_depths, n_rows)."""
        ancestor = np.arange(len(self.parent))
        falling = [self.value[self._raised(ancestor, depth)][leaves].mean(axis=0) for depth in reversed(DEPTHS)]
        return np.stack(falling[::-1])

    def out_of_bag(self) -> Mask:
        """(n_trees, n_rows) whether the tree never saw the row."""
        unseen: Mask = self.counts == 0
        return unseen


def normalised(importances: Floats) -> Floats:
    """To sum 1; equal shares where nothing was split."""
    total = importances.sum()
    return importances / total if total > 0 else np.full(len(importances), 1.0 / max(len(importances), 1))


def _depths(parent: Ints) -> Ints:
    """Depth of each node: all walk to the root together, as many steps as the tree is deep."""
    depth = np.zeros(len(parent), np.int64)
    walking = np.flatnonzero(parent != np.arange(len(parent)))
    at = parent[walking]
    while len(walking):
        depth[walking] += 1
        on = parent[at] != at
        walking, at = walking[on], parent[at[on]]
    return depth


def _grown(kind: Model, X: Floats32, y: Floats, weights: Floats, state: np.random.RandomState) -> list[Any]:
    splitter: Literal["best", "random"] = "random" if kind is Model.etr else "best"
    grower = Grower(X, splitter, max_features=tried_features(X.shape[1]), min_leaf=MIN_LEAF, state=state)
    grown = []
    for number, row_weights in enumerate(weights):
        progress.report(number / len(weights))
        grown.append(grower.grow(y, row_weights))
    return grown
