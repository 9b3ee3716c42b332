import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from models.imputation.boosting import Boosted
from models.imputation.intervals import forest_quantiles
from models.imputation.spec import Floats, Floats32, Model
from models.imputation.trees import DEPTHS, MIN_LEAF, Forest, bootstrap_counts, seeded


def _problem(seed: int = 0, n: int = 120) -> tuple[Floats32, Floats, Floats]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    w = rng.uniform(0.5, 1.5, n)
    return X, np.sin(2 * X[:, 0]) + X[:, 1] + 0.2 * rng.normal(size=n), w / w.sum()


@pytest.mark.parametrize("number", range(len(DEPTHS)))
def test_a_full_tree_cut_at_a_depth_predicts_as_one_grown_to_it(number: int) -> None:
    X, y, w = _problem()
    X, new = X[:, :1].copy(), _problem(1)[0][:, :1].copy()  # one column: equally good splits would be chosen by chance
    forest = Forest.grow(Model.rfr, X, y, w, np.arange(len(y)), 8, seeded(3))
    grown = [
        DecisionTreeRegressor(max_depth=DEPTHS[number], min_samples_leaf=MIN_LEAF).fit(X, y, w * counts).predict(new)
        for counts in forest.counts
    ]
    np.testing.assert_allclose(forest.curve(forest.apply(new))[number], np.mean(grown, axis=0), rtol=1e-9)


def test_rows_of_one_country_are_drawn_together() -> None:
    groups = np.array([0, 0, 1, 2, 2, 2])
    counts = bootstrap_counts(groups, 20, seeded(1))
    assert np.array_equal(counts[:, 0], counts[:, 1])
    assert np.array_equal(counts[:, 3], counts[:, 5])


def test_every_bag_draws_as_many_countries_as_there_are() -> None:
    assert np.all(bootstrap_counts(np.arange(30), 10, seeded(1)).sum(axis=1) == 30)


@pytest.mark.parametrize("kind", [Model.rfr, Model.etr])
def test_importances_find_the_column_that_matters(kind: Model) -> None:
    X, y, w = _problem()
    forest = Forest.grow(kind, X, X[:, 2].astype(float), w, np.arange(len(y)), 10, seeded(3))
    assert forest.importances.argmax() == 2
    assert forest.importances.sum() == pytest.approx(1)


def test_forest_quantiles_are_ordered_and_stay_among_the_training_values() -> None:
    X, y, w = _problem()
    forest = Forest.grow(Model.rfr, X, y, w, np.arange(len(y)), 30, seeded(3))
    here = forest.cut(forest.apply(_problem(1)[0]), 3)
    low, middle, high = forest_quantiles(forest, here, 3, (0.05, 0.5, 0.95))
    assert np.all((low <= middle) & (middle <= high))
    assert np.isin(np.concatenate([low, high]), y).all()


def test_boosting_fits_better_than_a_constant() -> None:
    X, y, w = _problem()
    new_X, new_y, _ = _problem(1)
    predicted = Boosted.grow(X, y, w, 80, 3, seeded(2)).predict(new_X)
    assert np.mean((predicted - new_y) ** 2) < 0.4 * np.var(new_y)


@pytest.mark.parametrize("level", [0.1, 0.9])
def test_boosted_quantiles_leave_their_share_below(level: float) -> None:
    X, _, w = _problem(n=400)
    y = np.random.default_rng(5).normal(size=400) * (1 + (X[:, 0] > 0))
    predicted = Boosted.grow(X, y, w, 60, 2, seeded(2), level).predict(X)
    assert np.average(y <= predicted, weights=w) == pytest.approx(level, abs=0.06)


@pytest.mark.parametrize("words", [(7,), (7, 1, 3)])
def test_a_seeded_generator_is_the_one_that_numpy_makes_of_the_same_words(words: tuple[int, ...]) -> None:
    expected = np.random.RandomState(np.random.SeedSequence(words).generate_state(4))
    found = seeded(*words)
    assert np.array_equal(found.randint(1000, size=2000), expected.randint(1000, size=2000))
    assert np.array_equal(found.normal(size=3), expected.normal(size=3))
