"""How far apart rows and clusters are."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from models._clustering import balance, choose, distances, fit, silhouette, standardise
from tests.models.clustering import planted


def test_without_gaps_it_is_the_silhouette_of_euclidean_distances() -> None:
    _, X = planted.numbers(np.random.default_rng(0))
    rows = planted.rows(X)
    labels = fit(rows, 4).labels
    assert silhouette(distances(rows), labels) == pytest.approx(silhouette_samples(rows.numbers, labels))


def test_of_categories_it_is_that_of_the_share_that_differs() -> None:
    _, codes = planted.levels(np.random.default_rng(0))
    rows = planted.rows(codes=codes)
    labels = fit(rows, 4).labels
    differs = np.sqrt((codes[:, None] != codes[None]).mean(axis=2))
    assert silhouette(distances(rows), labels) == pytest.approx(
        silhouette_samples(differs, labels, metric="precomputed")
    )


def test_two_rows_are_compared_by_what_both_have() -> None:
    X = np.array([[0.0, np.nan, 1], [np.nan, 5, 1], [3, 1, np.nan], [np.nan, 1, np.nan]])
    rows = planted.rows(X)
    apart = distances(rows)
    z = rows.numbers
    assert apart[0, 2] == pytest.approx(np.sqrt((z[0, 0] - z[2, 0]) ** 2 / 2))
    assert apart[1, 2] == pytest.approx(np.sqrt((z[1, 1] - z[2, 1]) ** 2 / 2))
    assert np.isnan(apart[0, 3])
    assert np.isnan(np.diag(apart)).all()
    assert np.array_equal(apart, apart.T, equal_nan=True)


def test_a_row_alone_in_its_cluster_has_none() -> None:
    apart = distances(planted.rows(np.array([[0.0], [0.1], [5.0]])))
    found = silhouette(apart, np.array([0, 0, 1]))
    assert found[2] == 0
    assert found[0] > 0.9


def test_a_single_cluster_has_none() -> None:
    assert silhouette(distances(planted.rows(np.array([[0.0], [1], [2]]))), np.zeros(3, np.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["numbers", "categories", "both"])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_as_many_clusters_are_chosen_as_were_planted(kind: str, k: int) -> None:
    rng = np.random.default_rng(k)
    _, X = planted.numbers(rng, k=k, apart=2, missing=0.2)
    _, codes = planted.levels(rng, k=k, missing=0.2)
    rows = planted.rows(X if kind != "categories" else None, codes if kind != "numbers" else None)
    assert choose(rows, range(2, 11)).clusters.k == k


def test_of_many_rows_a_sample_is_judged_and_all_are_clustered() -> None:
    group, X = planted.numbers(np.random.default_rng(1), n=4000, apart=2, missing=0.1)
    found = choose(planted.rows(X), range(2, 7))
    assert found.sampled
    assert np.isfinite(found.silhouettes).sum() == 1500
    assert found.clusters.k == 4
    same = found.clusters.labels[:, None] == found.clusters.labels[:400]
    assert (same == (group[:, None] == group[:400])).mean() > 0.97


def test_no_more_clusters_are_tried_than_rows_that_differ() -> None:
    found = choose(planted.rows(np.array([[0.0], [0], [1], [1], [2]])), range(2, 11))
    assert [k for k, _, _ in found.tried] == [2, 3]
    assert found.clusters.k == 3


def test_scaled_columns_have_mean_0_and_variance_1_over_what_is_observed() -> None:
    X = np.array([[1.0, 1e300, 7, np.nan], [3, -1e300, 7, 2], [np.nan, 0, 7, 4], [5, 5e299, 7, np.nan]])
    z, seen, varies = standardise(X)
    assert varies.tolist() == [True, True, False, True]
    assert np.array_equal(seen, np.isfinite(X))
    for column, known in zip(z.T[varies], seen.T[varies] > 0, strict=True):
        assert column[known].mean() == pytest.approx(0, abs=1e-12)
        assert column[known].std() == pytest.approx(1)
    assert (z[seen == 0] == 0).all()
    assert (z[:, 2] == 0).all()


def test_a_category_weighs_as_much_as_a_number_on_average() -> None:
    # Of two equally frequent levels, half of all pairs differ.
    assert balance(np.array([[0], [1], [0], [1], [-1]]), 2) == pytest.approx(2)
