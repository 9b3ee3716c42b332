"""The generated data set: always the same, small, and shaped like real indicators."""

import hashlib
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models._indicators import SIDS, IndicatorSet, find_files, load, write_sample
from models._indicators.sample_tables import NEARLY_UNOBSERVED


def missing_by_year(data: IndicatorSet) -> NDArray[np.float64]:
    """(n_years, n_indicators): share of countries without a value."""
    return np.asarray(np.isnan(data.values).mean(axis=1))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_every_process_writes_the_same_bytes(sample_folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        script = (
            "import sys, pathlib; from models._indicators import write_sample; write_sample(pathlib.Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(sample_folder)


def test_another_seed_is_another_data_set(sample: IndicatorSet, tmp_path: Path, cache_dir: Path) -> None:
    write_sample(tmp_path / "other", seed=8)
    assert load(tmp_path / "other", cache_dir).digest != sample.digest


def test_writing_again_replaces_the_files_and_leaves_nothing_else(sample_folder: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "again", seed=1)
    write_sample(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(sample_folder)


def test_it_is_at_most_300_kilobytes(sample_folder: Path) -> None:
    assert sum(path.stat().st_size for path in sample_folder.iterdir()) <= 300_000


def test_it_has_the_layout_of_the_real_sets(sample_folder: Path) -> None:
    header = find_files(sample_folder)["indicatorMeta"].read_text().splitlines()[0]
    assert header == (
        "Indicator Code,Indicator,Definition,Units,Category,Subcategory,Dimension,Dataset,"
        "Source,Link,Priority,Note,# Years,# Countries"
    )


def test_it_covers_120_countries_60_indicators_and_21_years(sample: IndicatorSet) -> None:
    assert sample.years == tuple(range(2000, 2021))
    assert len(sample.countries) == 120
    assert len(sample.indicators) >= 60


def test_at_least_30_small_island_states_are_in_it(sample: IndicatorSet) -> None:
    small = {code for code, is_small in zip(sample.countries, sample.sids, strict=True) if is_small}
    assert len(small) >= 30
    assert small == SIDS & set(sample.countries)


def test_every_country_has_a_name(sample: IndicatorSet) -> None:
    assert set(sample.country_names) == set(sample.countries)


def test_its_data_sets_say_that_they_are_synthetic(sample: IndicatorSet) -> None:
    assert set(sample.dataset_codes) == set(sample.datasets)
    assert len(sample.datasets) == 2
    assert all("synthetic" in name for name in sample.datasets.values())


def test_units_dimensions_and_categories_are_of_many_kinds(sample: IndicatorSet) -> None:
    assert set(sample.dimensions) == {"none", "total", "male", "female", "rural", "urban"}
    assert {"%", "US$", "years", "per 1,000 people", "index (0-100)"} <= set(sample.units)
    assert len(set(sample.categories)) >= 6


def test_values_stay_in_the_range_of_their_units(sample: IndicatorSet) -> None:
    for at, units in enumerate(sample.units):
        values = sample.values[:, :, at]
        if units == "%" or units.startswith("% of"):
            assert 0 <= np.nanmin(values) <= np.nanmax(values) <= 100
        elif not units.startswith(("% a year", "index (-2.5")):
            assert np.nanmin(values) > 0


def test_30_indicators_are_usable_as_predictors_in_every_year(sample: IndicatorSet) -> None:
    always = (missing_by_year(sample) < 0.3).all(axis=0)
    among_sids = (np.isnan(sample.values[:, sample.sids]).mean(axis=1) < 0.3).all(axis=0)
    assert (always & among_sids).sum() >= 30


def test_targets_miss_from_nothing_to_four_fifths(sample: IndicatorSet) -> None:
    missing = np.isnan(sample.values).mean(axis=(0, 1))
    assert missing.min() < 0.02
    assert 0.7 < missing.max() <= 0.8
    assert ((missing > 0.3) & (missing < 0.7)).sum() >= 5


def test_some_series_have_gaps_and_some_have_nothing(sample: IndicatorSet) -> None:
    observed = ~np.isnan(sample.values)
    cold = ~observed.any(axis=0)
    gappy = observed.any(axis=0) & ~observed.all(axis=0)
    assert 0.02 < cold.mean() < 0.2
    assert gappy.mean() > 0.2
    assert observed.any(axis=(0, 1)).all()


def test_one_country_has_almost_nothing(sample: IndicatorSet) -> None:
    observed = ~np.isnan(sample.values[:, sample.country_index[NEARLY_UNOBSERVED]])
    assert 0 < observed.sum() < 10


def test_one_indicator_is_nearly_cloned_in_the_other_data_set(sample: IndicatorSet) -> None:
    pairs = [
        (a, b)
        for a, b in combinations(range(len(sample.indicators)), 2)
        if sample.base_codes[a] == sample.base_codes[b]
    ]
    ((one, two),) = pairs
    both = np.isfinite(sample.values[:, :, one] + sample.values[:, :, two])
    r = np.corrcoef(sample.values[:, :, one][both], sample.values[:, :, two][both])[0, 1]
    assert sample.dataset_codes[one] != sample.dataset_codes[two]
    assert 0.999 < r < 1


def test_few_factors_explain_most_of_a_year(sample: IndicatorSet) -> None:
    X = sample.year(2010)[:, missing_by_year(sample)[10] < 0.1]
    X = X[np.isfinite(X).all(axis=1)]
    spread = np.linalg.svd((X - X.mean(axis=0)) / X.std(axis=0), compute_uv=False) ** 2
    assert 0.6 < spread[:4].sum() / spread.sum() < 0.97


def test_indicators_move_with_time(sample: IndicatorSet) -> None:
    internet = sample.values[:, :, sample.indicator_index["dev-internet.users"]]
    assert np.nanmedian(internet[-1]) > np.nanmedian(internet[0]) + 20
