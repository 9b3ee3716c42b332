import math

import numpy as np
import pytest

from models.sentiment.calibration import calibration_error, interval, log_loss, softmax, temperature


def drawn(sharpness: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn by them divided by `sharpness`."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, 2)) * sharpness
    labels = (rng.random(n) < softmax(logits / sharpness)[:, 1]).astype(np.int64)
    return logits, labels


def test_softmax_adds_up_to_one_however_large_the_logits() -> None:
    shares = softmax(np.array([[1000.0, 0.0], [-1e4, -1e4], [0.0, math.log(3)]]))
    assert shares == pytest.approx(np.array([[1, 0], [0.5, 0.5], [0.25, 0.75]]))


def test_the_log_loss_of_knowing_nothing_is_that_of_a_coin() -> None:
    assert log_loss(np.zeros((4, 2)), np.array([0, 1, 1, 0])) == pytest.approx(math.log(2))


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_that_sharpened_logits_is_found(sharpness: float) -> None:
    logits, labels = drawn(sharpness)
    assert temperature(logits, labels) == pytest.approx(sharpness, rel=0.05)


def test_the_temperature_makes_scores_calibrated() -> None:
    logits, labels = drawn(5.0)
    before = calibration_error(softmax(logits), labels)
    after = calibration_error(softmax(logits / temperature(logits, labels)), labels)
    assert before > 0.1
    assert after < 0.01


def test_the_temperature_stays_within_bounds_where_all_is_told_rightly() -> None:
    assert temperature(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1, 0])) == pytest.approx(0.05, rel=1e-3)


def test_the_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10)
    assert calibration_error(probabilities, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert calibration_error(probabilities, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)


def test_certain_answers_are_counted_in_the_last_bin() -> None:
    assert calibration_error(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1, 1])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (1518, 1821, 0.8159, 0.8500)]
)
def test_the_interval_is_that_of_wilson(right: int, total: int, low: float, high: float) -> None:
    assert interval(right, total) == pytest.approx((low, high), abs=2e-4)
