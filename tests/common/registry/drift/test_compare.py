"""How far columns are apart, and when that is told."""

import json

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from common.registry.drift.compare import column_drift, compare, not_compared, psi
from common.registry.drift.definitions import Verdict

ROWS = np.random.default_rng(7)


def normal(rows: int, mean: float = 0.0) -> np.ndarray:
    return ROWS.normal(mean, 1, rows)


def test_the_index_of_equal_histograms_is_zero_and_it_takes_no_side() -> None:
    one, other = np.array([10.0, 20, 30]), np.array([30.0, 20, 10])
    assert psi(one, one) == 0
    assert psi(one, other) == pytest.approx(psi(other, one))


def test_the_index_is_the_textbook_sum() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.3, 0.2])
    # Of so many rows that the half row for empty bins says nothing.
    assert psi(p * 1e9, q * 1e9) == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-6)


def test_rows_of_the_same_source_are_stable() -> None:
    found = column_drift("input.x", normal(5000), normal(1000))
    assert (found.verdict, found.kind, found.test) == (Verdict.STABLE, "number", "ks")
    assert found.psi < 0.1


def test_numbers_that_moved_are_told_with_scipys_own_statistic() -> None:
    left, right = normal(5000), normal(800, 1.0)
    found = column_drift("input.x", left, right)
    expected = ks_2samp(left, right, method="asymp")
    assert found.verdict is Verdict.MAJOR
    assert (found.statistic, found.p_value) == (float(expected.statistic), float(expected.pvalue))
    assert found.mean == pytest.approx(right.mean())


def test_a_few_rows_that_differ_by_chance_raise_no_alarm() -> None:
    # Ten bins of 20 rows each: the index alone would be above 0.1 more often than not.
    verdicts = [column_drift("x", normal(20 + 10), normal(20)).verdict for _ in range(20)]
    assert verdicts.count(Verdict.STABLE) >= 17


def test_categories_are_compared_by_chi_squared() -> None:
    left = np.array(["a"] * 600 + ["b"] * 400)
    right = np.array(["a"] * 100 + ["b"] * 300)
    found = column_drift("input.city", left, right)
    expected = chi2_contingency([[600, 400], [100, 300]], correction=False)
    assert (found.kind, found.test, found.verdict) == ("category", "chi2", Verdict.MAJOR)
    assert found.statistic == pytest.approx(float(expected.statistic))
    assert found.mean is None


def test_a_category_that_the_training_never_saw_counts() -> None:
    left = np.array(["a"] * 500 + ["b"] * 500)
    assert column_drift("x", left, np.array(["z"] * 300)).verdict is Verdict.MAJOR


def test_a_few_whole_numbers_are_categories() -> None:
    left, right = ROWS.integers(0, 3, 1000).astype(float), np.full(300, 2.0)
    found = column_drift("output.label", left, right)
    assert (found.kind, found.verdict, found.mean) == ("category", Verdict.MAJOR, 2.0)


def test_a_constant_column_is_stable_until_it_is_another_constant() -> None:
    ones = np.ones(500)
    same = column_drift("x", ones, np.ones(200))
    assert (same.p_value, same.verdict) == (1.0, Verdict.STABLE)
    assert same.psi == pytest.approx(0, abs=0.01)
    assert column_drift("x", ones, np.full(200, 2.0)).verdict is Verdict.MAJOR


def test_a_column_that_became_constant_is_told() -> None:
    assert column_drift("x", normal(2000), np.zeros(300)).verdict is Verdict.MAJOR


def test_numbers_that_go_missing_are_told() -> None:
    left, right = normal(2000), normal(600)
    right[::2] = np.nan
    found = column_drift("x", left, right)
    assert (found.missing, found.missing_reference, found.verdict) == (0.5, 0.0, Verdict.MAJOR)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_without_a_single_number_is_major(value: float) -> None:
    found = column_drift("x", normal(2000), np.full(300, value))
    assert (found.missing, found.mean, found.verdict) == (1.0, None, Verdict.MAJOR)
    json.loads(found.model_dump_json())


def test_columns_that_are_all_missing_in_both_are_stable() -> None:
    nothing = np.full(300, np.nan)
    assert column_drift("x", nothing, nothing).verdict is Verdict.STABLE


def test_huge_numbers_are_compared_too() -> None:
    found = column_drift("x", normal(500) * 2e307, normal(500) * 2e307)
    assert found.verdict is Verdict.STABLE
    json.loads(found.model_dump_json())


def test_the_most_changed_column_comes_first_and_others_are_named() -> None:
    reference = {"input.a": normal(1000), "input.b": normal(1000)}
    sample = {"input.a": normal(500), "input.b": normal(500, 3.0), "output.y": normal(500)}
    assert [item.column for item in compare(reference, sample)] == ["input.b", "input.a"]
    assert not_compared(reference, sample) == ["output.y"]


def test_texts_are_compared_by_length_where_one_side_has_nothing_else() -> None:
    reference = {"input.text": np.array(["x" * length for length in ROWS.integers(1, 100, 1000)])}
    sample = {"input.text.length": ROWS.integers(200, 300, 500).astype(float)}
    [found] = compare(reference, sample)
    assert (found.column, found.verdict) == ("input.text.length", Verdict.MAJOR)
