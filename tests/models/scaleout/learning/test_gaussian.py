import numpy as np
import pytest
from scipy.optimize import approx_fprime

from models.scaleout.learning import gaussian
from models.scaleout.learning.gaussian import Process, Trend


def trend(features: int = 2, mean: float = 0.0) -> Trend:
    return Trend(np.full(features, mean), np.full(features, 0.5), np.full(features, 0.5))


def points(count: int, seed: int = 1, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.uniform(-2, 2, (count, 2))
    return X, 5.0 - 0.7 * X[:, 0] + np.sin(2 * X[:, 1]) + random.normal(0, noise, count)


def test_the_gradient_is_that_of_the_loss() -> None:
    X, y = points(25)
    X, y, doubt = X - X.mean(0), y - y.mean(), np.array([1.0 + place % 3 for place in range(25)])
    known = gaussian._Known.of(X, X, trend())
    prior = np.array([[0.0, 1.0], [0.0, 1.0], [-1.8, 0.8], [-1.8, 0.8], [-2.0, 0.8]])
    at = prior[:, 0] + 0.2

    def loss(hyper: np.ndarray) -> float:
        return gaussian._loss(hyper, known, y, doubt, prior)[0]

    numeric = approx_fprime(at, loss, 1e-6)
    assert gaussian._loss(at, known, y, doubt, prior)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_a_smooth_function_is_found_between_its_points() -> None:
    X, y = points(60)
    asked, true = points(40, seed=2, noise=0.0)
    mean, _ = Process.fit(X, y, trend()).predict(asked)
    assert np.abs(mean - true).mean() < 0.1


def test_far_from_all_points_the_trend_is_followed_and_the_deviation_grows() -> None:
    X = np.array([[0.0, 0.0], [0.1, 0.0], [0.2, 0.1]])
    process = Process.fit(X, np.array([1.0, 0.93, 0.87]), trend(mean=-0.7))
    mean, deviation = process.predict(np.array([[0.1, 0.0], [3.0, 0.0]]))
    assert mean[0] - mean[1] == pytest.approx(2.03, abs=0.5)
    assert deviation[1] > 3 * deviation[0]


def test_leaving_out_in_closed_form_is_what_leaving_out_gives() -> None:
    X, y = points(12)
    process = Process.fit(X, y, trend(), robust=False)
    mean, deviation = process.left_out()
    known = gaussian._Known.of(X - process.centre, X - process.centre, process.trend)
    covariance = known.covariance(process.hyper)[0] + np.eye(12) * (process.noise**2 + gaussian._JITTER)
    rest = y - (X - process.centre) @ process.trend.mean - process.level
    others = np.arange(12) != 3
    weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, 3])
    assert y[3] - mean[3] == pytest.approx(rest[3] - weights @ rest[others], rel=1e-5)
    assert deviation[3] ** 2 == pytest.approx(covariance[3, 3] - weights @ covariance[others, 3], rel=1e-5)


def test_an_outlier_does_not_pull_its_neighbours_with_it() -> None:
    X, y = points(40, noise=0.02)
    spoilt = y.copy()
    spoilt[7] += 2.0
    near = X[7:8] + 0.05
    plain, robust = (Process.fit(X, spoilt, trend(), robust=robust).predict(near)[0] for robust in (False, True))
    true = Process.fit(X, y, trend()).predict(near)[0]
    assert abs(robust - true) < abs(plain - true)
    assert abs(robust - true) < 0.3


def test_one_point_and_points_that_are_all_the_same_are_no_error() -> None:
    one = Process.fit(np.zeros((1, 2)), np.array([3.0]), trend(), steps=0)
    assert one.predict(np.zeros((1, 2)))[0] == pytest.approx([3.0], abs=1e-6)
    same = Process.fit(np.zeros((30, 2)), np.full(30, 3.0), trend())
    mean, deviation = same.predict(np.zeros((1, 2)))
    assert mean == pytest.approx([3.0])
    assert np.isfinite(deviation).all()
