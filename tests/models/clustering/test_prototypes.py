"""K-means, k-modes and k-prototypes on what is observed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from models._clustering import Rows, fit, refine
from models._clustering.rows import Ints
from tests.models.clustering import planted
from tests.models.clustering.kpod import kpod

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_without_gaps_it_is_k_means(seed: int, k: int) -> None:
    _, X = planted.numbers(np.random.default_rng(seed))
    rows = planted.rows(X)
    found = fit(rows, k, starts=20)
    theirs = KMeans(k, n_init=20, random_state=0).fit(rows.numbers)
    assert found.cost == pytest.approx(theirs.inertia_)
    assert adjusted_rand_score(found.labels, theirs.labels_) == 1


@pytest.mark.parametrize("missing", [0.3, 0.5])
def test_with_gaps_it_costs_no_more_than_k_pod_and_finds_the_groups_as_often(missing: float) -> None:
    costs, agreements = [], []
    for seed in range(4):
        group, X = planted.numbers(np.random.default_rng(seed), n=120, missing=missing)
        rows = planted.rows(X)
        ours = fit(rows, 4, starts=5)
        labels, cost = kpod(rows.numbers, rows.seen, 4, starts=5)
        costs.append((ours.cost, cost))
        agreements.append((adjusted_rand_score(group, ours.labels), adjusted_rand_score(group, labels)))
    assert all(ours <= theirs * 1.001 for ours, theirs in costs)
    ours_mean, theirs_mean = np.mean(agreements, axis=0)
    assert ours_mean >= theirs_mean


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_groups_are_found_though_a_third_of_the_numbers_is_missing(seed: int) -> None:
    group, X = planted.numbers(np.random.default_rng(seed), p=20, apart=2, missing=0.33)
    assert adjusted_rand_score(group, fit(planted.rows(X), 4).labels) > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_groups_are_found_though_a_third_of_the_categories_is_missing(seed: int) -> None:
    group, codes = planted.levels(np.random.default_rng(seed), q=20, missing=0.33)
    assert adjusted_rand_score(group, fit(planted.rows(codes=codes), 4).labels) > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_groups_that_only_numbers_and_categories_together_tell_apart_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    by_number, X = planted.numbers(rng, n=240, p=10, k=2, apart=3, missing=0.2)
    _, codes = planted.levels(rng, n=240, q=10, k=2, kept=0.8, missing=0.2)
    by_level = np.repeat([0, 1], 120)
    codes = codes[np.argsort(np.arange(240) % 2, kind="stable")]
    found = fit(planted.rows(X, codes), 4)
    assert adjusted_rand_score(by_number * 2 + by_level, found.labels) > 0.9


def cost_of(rows: Rows, labels: Ints) -> float:
    """The cost of a partition, straight from its definition."""
    total = 0.0
    for label in np.unique(labels):
        inside = labels == label
        for values, seen in zip(rows.numbers[inside].T, rows.seen[inside].T, strict=True):
            known = values[seen > 0]
            total += float(np.square(known - known.mean()).sum()) if len(known) else 0.0
        for column in rows.codes[inside].T:
            known_levels = column[column >= 0]
            if len(known_levels):
                total += rows.gamma * (len(known_levels) - int(np.bincount(known_levels).max()))
    return total


@pytest.mark.parametrize("kind", ["numbers", "categories", "both"])
@pytest.mark.parametrize("seed", SEEDS)
def test_of_few_rows_no_partition_at_all_costs_less(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, X = planted.numbers(rng, n=8, p=3, k=2, apart=2, missing=0.2)
    _, codes = planted.levels(rng, n=8, q=4, k=2, missing=0.2)
    rows = planted.rows(X if kind != "categories" else None, codes if kind != "numbers" else None)
    least = min(cost_of(rows, np.array((0, *rest))) for rest in itertools.product((0, 1), repeat=7))
    assert fit(rows, 2, starts=20).cost == pytest.approx(least)


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Up to 12 rows with gaps, ties and repeated rows."""
    n = draw(st.integers(2, 12))
    p, q = draw(st.sampled_from([(0, 2), (2, 0), (2, 2), (1, 3)]))
    value = st.sampled_from([np.nan, 0.0, 1.0, 2.0, 10.0])
    X = draw(npst.arrays(np.float64, (n, p), elements=value))
    codes = draw(npst.arrays(np.int64, (n, q), elements=st.integers(-1, 2)))
    codes[0] = 0
    X[0] = 1.0
    return planted.rows(X if p else None, codes if q else None)


@settings(deadline=None, max_examples=150)
@given(tables(), st.integers(1, 5))
def test_labels_are_numbered_by_size_and_their_cost_is_that_of_the_partition(rows: Rows, k: int) -> None:
    found = fit(rows, min(k, len(rows)), starts=3)
    sizes = np.bincount(found.labels)
    firsts = [int(np.flatnonzero(found.labels == label)[0]) for label in range(len(sizes))]
    assert len(sizes) == found.k <= k
    assert sizes.min() >= 1
    assert [(-size, first) for size, first in zip(sizes, firsts, strict=True)] == sorted(
        (-size, first) for size, first in zip(sizes, firsts, strict=True)
    )
    assert found.cost == pytest.approx(cost_of(rows, found.labels), abs=1e-9)
    assert found.distance.sum() == pytest.approx(found.cost, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(tables(), st.integers(1, 4))
def test_no_row_is_nearer_to_the_middle_of_another_cluster(rows: Rows, k: int) -> None:
    found = fit(rows, min(k, len(rows)), starts=3)
    nearest = rows.dissimilarity(found.prototypes).min(axis=1)
    assert found.distance == pytest.approx(nearest, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(tables(), st.integers(1, 4))
def test_a_clustering_refined_from_its_own_middles_stays_as_it_is(rows: Rows, k: int) -> None:
    found = fit(rows, min(k, len(rows)), starts=3)
    assert refine(rows, found.prototypes).cost == pytest.approx(found.cost, abs=1e-9)


def test_equal_questions_get_equal_clusters() -> None:
    _, X = planted.numbers(np.random.default_rng(0), missing=0.3)
    first, second = (fit(planted.rows(X), 5, seed=3) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert first.cost == second.cost


def test_there_are_as_many_clusters_as_rows_that_differ() -> None:
    rows = planted.rows(np.array([[1.0, 2], [1, 2], [3, 4], [3, 4], [5, 0]]))
    found = fit(rows, 5)
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    assert found.cost == pytest.approx(0)
