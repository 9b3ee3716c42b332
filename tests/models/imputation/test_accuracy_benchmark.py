"""The figures in the docs are worth what the benchmark's masks are."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.imputation_accuracy import Settings, measure
from benchmarks.imputation_accuracy_masks import CELLS, PROTOCOLS, Protocol, draw
from benchmarks.imputation_accuracy_peers import linear, train_mean
from benchmarks.imputation_accuracy_sanity import Counts, comparable, count, limits
from benchmarks.imputation_accuracy_tables import groups, report
from models._indicators import IndicatorSet, load, write_sample
from models.imputation.engine import Interval, Level1Memory, Model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> IndicatorSet:
    folder: Path = tmp_path_factory.mktemp("sample")
    write_sample(folder / "data")
    return load(folder / "data", folder / "cache")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_but_the_cells_and_those_of_clones_is_hidden(data: IndicatorSet, protocol: Protocol) -> None:
    for question in draw(data, protocol, 40, 1):
        masked = question.mask(data)
        gone = np.isfinite(data.values) & ~np.isfinite(masked.values)
        years, countries, indicators = (set(axis.tolist()) for axis in np.nonzero(gone))
        assert countries <= set(question.countries)
        assert indicators <= {question.target, *question.clones}
        if protocol == "gap":
            assert years == {data.year_index[question.year]}
        assert not np.isfinite(masked.year(question.year)[list(question.countries), question.target]).any()


def test_a_cold_country_has_the_target_in_no_year_and_a_gap_in_another(data: IndicatorSet) -> None:
    for protocol in PROTOCOLS:
        for question in draw(data, protocol, 40, 1):
            left = np.isfinite(question.mask(data).values[:, question.countries, question.target]).any(axis=0)
            assert left.all() if protocol == "gap" else not left.any()


def test_the_same_seed_draws_the_same_cells_of_small_islands(data: IndicatorSet) -> None:
    first, second = draw(data, "gap", 60, 3), draw(data, "gap", 60, 3)
    assert [(q.target, q.year, q.countries) for q in first] == [(q.target, q.year, q.countries) for q in second]
    assert all(data.sids[list(question.countries)].all() for question in first)
    assert all(len(question.countries) <= CELLS for question in first)


def test_the_simple_guesses_are_what_they_are_called(data: IndicatorSet) -> None:
    question = draw(data, "gap", 1, 5)[0]
    masked = question.mask(data)
    series = np.asarray(masked.values[:, question.countries[0], question.target])
    seen = np.isfinite(series)
    line = np.interp(question.year, np.array(data.years)[seen], series[seen])
    assert linear(masked, question)[0] == pytest.approx(line)
    assert train_mean(masked, question)[0] == pytest.approx(np.nanmean(masked.year(question.year)[:, question.target]))


def test_answers_are_measured_against_what_was_hidden(data: IndicatorSet) -> None:
    settings = Settings("sample", True, False, Interval.quantile, Model.rfr, 5, {})
    cells = [cell for question in draw(data, "gap", 6, 2) for cell in measure(data, question, settings)]
    for cell in cells:
        hidden = data.year(cell.year)[data.country_index[cell.country], data.indicator_index[cell.target]]
        assert cell.truth == hidden
    found = groups(cells)
    assert found[0].inside.mean() > 0.5
    assert "too few cells" in report(found, [])


def test_an_answer_that_cannot_be_right_is_counted(data: IndicatorSet) -> None:
    """Were a percentage taken for a rate per head, values above 100 would be counted as such."""
    assert limits(np.array([[1.0, 40.0]]), "%") == (0.0, 100.0)
    assert limits(np.array([[1.0, 40.0]]), "US$") == (0.0, np.inf)
    assert limits(np.array([[-1.0, 40.0]]), "% a year") == (-np.inf, np.inf)
    series = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 1000.0]])
    assert comparable(series, np.arange(6) < 5) == 5.0
    assert comparable(series, np.arange(6) < 4) == 1000.0


def test_answers_about_the_sample_are_sound(data: IndicatorSet) -> None:
    memory = Level1Memory()
    total = sum((count(data, 2010, target, 5, memory) for target in _targets(data)), Counts())
    assert total.values > 0
    assert (total.shared_unknown, total.unphysical, total.beyond) == (0, 0, 0)


def _targets(data: IndicatorSet) -> list[int]:
    from models.imputation.engine import eligible_targets

    return [int(target) for target in np.flatnonzero(eligible_targets(data, 2010))[::6]]


def test_counts_add_up() -> None:
    one = Counts(*range(1, 1 + len(dataclasses.fields(Counts))))
    assert dataclasses.astuple(one + one) == tuple(2 * value for value in dataclasses.astuple(one))
