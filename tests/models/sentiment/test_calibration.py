import math

import numpy as np
import pytest

from models.sentiment.calibration import calibration_error, interval, log_loss, mix, softmax


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
def test_the_sharpness_of_margins_is_undone(sharpness: float) -> None:
    logits, labels = drawn(sharpness)
    (weight,) = mix(np.diff(logits), labels)
    assert weight == pytest.approx(1 / sharpness, rel=0.05)


def test_what_is_mixed_is_calibrated() -> None:
    logits, labels = drawn(5.0)
    (weight,) = mix(np.diff(logits), labels)
    assert calibration_error(softmax(logits), labels) > 0.1
    assert calibration_error(softmax(logits * weight), labels) < 0.01


def test_a_margin_that_tells_nothing_gets_no_weight() -> None:
    logits, labels = drawn(1.0)
    noise = np.random.default_rng(1).normal(size=len(labels))
    assert mix(np.stack([np.diff(logits)[:, 0], noise], axis=1), labels) == pytest.approx([1, 0], abs=0.05)


def test_two_halves_of_what_is_known_are_added_up() -> None:
    logits, labels = drawn(1.0)
    whole = np.diff(logits)[:, 0]
    half = np.random.default_rng(1).normal(size=len(labels))
    assert mix(np.stack([whole - half, half], axis=1), labels) == pytest.approx([1, 1], abs=0.06)


def test_the_weights_stay_finite_where_all_is_told_rightly() -> None:
    (weight,) = mix(np.array([[3.0], [-2.0]]), np.array([1, 0]))
    assert 1 < weight < 100


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
