"""The law of cost: it learns, forgets, and stays a positive number whatever it is told."""

import math

import numpy as np
import pytest

from models.imputation.estimate_law import Law

EXPECTED_S = [0.02, 1e-4, 3e-3]


def questions(number: int, seed: int = 1) -> np.ndarray:
    """Units of three parts, over orders of magnitude; the second part is absent from a third of the questions."""
    draw = np.random.default_rng(seed)
    many = np.where(draw.random(number) < 0.3, 0.0, 10 ** draw.uniform(1, 4, number))
    return np.column_stack([np.ones(number), many, 10 ** draw.uniform(0, 2, number)])


def taught(law: Law, units: np.ndarray, unit_s: np.ndarray, noise: float = 0.0, seed: int = 2) -> Law:
    draw = np.random.default_rng(seed)
    for one in units:
        law = law.learnt(one, float(one @ unit_s) * math.exp(noise * draw.normal()))
    return law


def median_error(law: Law, units: np.ndarray, unit_s: np.ndarray) -> float:
    true = units @ unit_s
    return float(np.median([abs(law.seconds(one) - s) / s for one, s in zip(units, true, strict=True)]))


@pytest.mark.parametrize("factors", [(1, 1, 1), (3, 3, 3), (0.2, 0.2, 0.2), (1, 3, 0.5), (4, 1.5, 8)])
def test_it_learns_what_parts_cost_on_another_machine(factors: tuple[float, ...]) -> None:
    unit_s = np.array(EXPECTED_S) * factors
    law = taught(Law.new(EXPECTED_S), questions(100), unit_s, noise=0.1)
    assert median_error(law, questions(200, seed=5), unit_s) <= 0.1


def test_twenty_measurements_are_enough_for_a_machine_of_another_speed() -> None:
    unit_s = np.array(EXPECTED_S) * 5
    law = taught(Law.new(EXPECTED_S), questions(20), unit_s, noise=0.1)
    assert median_error(law, questions(200, seed=5), unit_s) <= 0.15


def test_a_machine_that_became_slower_is_learnt_anew() -> None:
    before, after = np.array(EXPECTED_S), np.array(EXPECTED_S) * 4
    law = taught(Law.new(EXPECTED_S), questions(2000), before)
    assert median_error(law, questions(200, seed=5), after) > 0.5
    assert median_error(taught(law, questions(200, seed=7), after), questions(200, seed=5), after) <= 0.1


def test_a_part_never_asked_for_is_as_much_slower_as_the_others_are() -> None:
    unit_s = np.array(EXPECTED_S) * 3
    units = questions(100) * [1, 0, 1]
    law = taught(Law.new(EXPECTED_S), units, unit_s)
    assert law.seconds(np.array([0.0, 1e4, 0.0])) == pytest.approx(3.0, rel=0.4)


def test_one_measurement_of_a_machine_put_to_sleep_hardly_counts() -> None:
    unit_s = np.array(EXPECTED_S)
    law = taught(Law.new(EXPECTED_S), questions(100), unit_s).learnt(np.array([1.0, 100.0, 10.0]), 3600.0)
    assert median_error(law, questions(200, seed=5), unit_s) <= 0.15


def test_what_is_known_stays_bounded_however_often_the_same_is_asked() -> None:
    law, one = Law.new(EXPECTED_S), np.array([1.0, 0.0, 0.0])
    for _ in range(5000):
        law = law.learnt(one, 0.02)
    sizes = np.linalg.eigvalsh(law.information)
    assert sizes.min() > 0.5
    assert sizes.max() < 1e5
    assert law.count == 5000


@pytest.mark.parametrize("seconds", [1e-300, 1e-9, 1.0, 1e9, 1e300])
def test_an_estimate_is_positive_and_finite_whatever_was_measured(seconds: float) -> None:
    law = Law.new(EXPECTED_S)
    for one in questions(300):
        law = law.learnt(one, seconds)
        assert 0 < law.seconds(one) < math.inf
    assert np.isfinite(law.mean).all()


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_time_teaches_nothing(seconds: float) -> None:
    law = Law.new(EXPECTED_S)
    assert law.learnt(questions(1)[0], seconds) is law


def test_no_work_teaches_nothing() -> None:
    law = Law.new(EXPECTED_S)
    assert law.learnt(np.zeros(3), 1.0) is law
