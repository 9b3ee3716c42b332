"""Profiles of countries: which indicators, and on what scale."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from models._indicators import IndicatorSet, load
from models.countries import choices
from models.countries.definitions import Scale
from models.countries.profiles import profiles

FILES = {
    "indicatorData": """\
Country Code,Indicator Code,2010
AUT,one,1
DEU,one,2
FJI,one,9
FJI,alone,4
AUT,same,5
FJI,same,5
AUT,other,3
CHE,elsewhere,8
""",
    "indicatorMeta": """\
Indicator Code,Indicator,Units,Category,Subcategory,Dimension,Dataset
one,One,,Economy,,,set
alone,Alone,,Economy,,,set
same,Same,,Economy,,,set
other,Other,,Health,,,set
elsewhere,Elsewhere,,,,,set
""",
    "datasetMeta": "Dataset Code,Dataset Name\nset,The Set\n",
}


@pytest.fixture
def data(tmp_path: Path) -> IndicatorSet:
    for stem, text in FILES.items():
        (tmp_path / f"{stem}.csv").write_text(text)
    return load(tmp_path, tmp_path / "cache")


def test_an_indicator_that_one_country_has_or_that_is_the_same_everywhere_is_left_out(data: IndicatorSet) -> None:
    found = profiles(data, choices.columns(data, "set", "Economy"), 2010, Scale.zscore, sids_only=False)
    assert [data.indicators[at] for at in found.columns] == ["one"]
    assert [data.countries[at] for at in found.rows] == ["AUT", "DEU", "FJI"]
    assert found.z[:, 0] == pytest.approx((np.array([1, 2, 9]) - 4) / np.std([1, 2, 9]))


def test_ranks_are_the_mean_of_those_of_equal_values(data: IndicatorSet) -> None:
    values = np.array([[5.0, np.nan], [1, 2], [5, 2], [9, np.nan], [5, 1]])
    from models.countries.profiles import _ranks

    found = _ranks(values)
    assert found[:, 0] == pytest.approx(rankdata(values[:, 0]))
    assert found[[1, 2, 4], 1] == pytest.approx(rankdata([2, 2, 1]))
    assert np.isnan(found[[0, 3], 1]).all()


def test_of_small_island_states_only_the_others_do_not_count_in_the_scale(data: IndicatorSet) -> None:
    found = profiles(data, choices.columns(data, "set", "Economy"), 2010, Scale.zscore, sids_only=True)
    assert len(found.columns) == 0


def test_an_indicator_without_a_category_can_not_be_asked_for(data: IndicatorSet) -> None:
    assert choices.categories(data, "set") == ["Economy", "Health"]


def test_years_need_two_countries(data: IndicatorSet) -> None:
    assert choices.years(data, "set", "Economy") == ["2010"]
    assert choices.years(data, "set", "Health") == []


def test_a_route_in_a_message_can_be_sent_as_it_stands() -> None:
    assert choices.route("years", category="Policy & Debt") == "GET years?category=Policy+%26+Debt"
