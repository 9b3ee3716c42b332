"""Pulling from a stand-in of the World Bank's API, named in `tests.support.indicator_sources`."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import AtollError, Conflict, DependencyFailed, Invalid, NotFound
from common.plugins import Pull
from models._indicators import IndicatorSet, find_files, load
from models._indicators.fetch import world_bank
from models._indicators.fetch_world_bank import Refused, read_page, units_in
from models.imputation.choices import targets
from tests.support.indicator_sources import COUNTRIES, Sources, value_of
from tests.support.servers import free_port

CODES = ("SP.POP.TOTL", "EG.ELC.ACCS.ZS")
VALUES = "country/all/indicator/SP.POP.TOTL"


@pytest.fixture
def bank() -> Iterator[Sources]:
    standin = Sources()
    yield standin
    standin.close()


@pytest.fixture
def pull(bank: Sources, tmp_path: Path) -> Pull:
    return Pull(CODES, 2000, 2003, tmp_path / "set", tmp_path / "cache" / "pulls", bank.url)


def loaded(pull: Pull) -> IndicatorSet:
    return load(pull.into, pull.cache.parent / "arrays")


def test_a_pulled_set_loads_with_every_value_and_every_gap(pull: Pull) -> None:
    world_bank(pull)
    data = loaded(pull)
    assert data.years == (2000, 2001, 2002, 2003)
    assert data.indicators == ("wdi-EG.ELC.ACCS.ZS", "wdi-SP.POP.TOTL")
    for i, code in enumerate(data.indicators):
        for c, country in enumerate(data.countries):
            said = [value_of(code.removeprefix("wdi-"), country, year) for year in data.years]
            wanted = [np.nan if value is None else value for value in said]
            np.testing.assert_array_equal(data.values[:, c, i], wanted)


def test_aggregates_such_as_world_are_left_out(pull: Pull) -> None:
    world_bank(pull)
    assert loaded(pull).countries == ("AUT", "CIV", "FJI", "TUV")


def test_what_an_indicator_is_comes_from_the_api(pull: Pull) -> None:
    world_bank(replace(pull, indicators=("SL.UEM.TOTL.FE.ZS", "EG.ELC.ACCS.ZS", "GE.EST")))
    data = loaded(pull)
    assert data.indicators == ("wb3-GE.EST", "wdi-EG.ELC.ACCS.ZS", "wdi-SL.UEM.TOTL.FE.ZS")
    assert data.names[1] == "Access to electricity (% of population)"
    assert data.units == ("", "% of population", "% of female labor force")
    assert data.categories == ("Other", "Energy", "Gender")
    assert data.dimensions == ("none", "none", "female")
    assert dict(data.datasets) == {"wb3": "Worldwide Governance Indicators", "wdi": "World Development Indicators"}
    assert data.base_codes == ("GE.EST", "EG.ELC.ACCS.ZS", "SL.UEM.TOTL.FE.ZS")


def test_values_without_the_code_of_three_letters_are_not_lost(pull: Pull) -> None:
    world_bank(replace(pull, indicators=("GE.EST",)))
    assert set(loaded(pull).countries) == {code for code, _, _, region in COUNTRIES if region != "NA"}


def test_the_gaps_of_a_pulled_set_are_targets_of_imputation(pull: Pull) -> None:
    world_bank(pull)
    assert targets(loaded(pull), 2001, "wdi") == {
        "wdi-EG.ELC.ACCS.ZS": "Access to electricity (% of population)",
        "wdi-SP.POP.TOTL": "Population, total",
    }


def test_names_of_countries_are_kept(pull: Pull) -> None:
    world_bank(pull)
    assert loaded(pull).country_names["CIV"] == "Cote d'Ivoire"


def test_all_pages_are_asked_for_once(pull: Pull, bank: Sources) -> None:
    world_bank(pull)
    # Six entries of the list, four years, ten rows a page
    assert [page for path, page in bank.asked if path == VALUES] == [1, 2, 3]
    assert len(bank.asked) == len(set(bank.asked))


def test_a_second_pull_asks_nothing_and_writes_the_same_bytes(pull: Pull, bank: Sources, tmp_path: Path) -> None:
    world_bank(pull)
    before = len(bank.asked)
    other = replace(pull, into=tmp_path / "other")
    told = world_bank(other)
    assert len(bank.asked) == before
    assert told["requests"] == 0
    assert {path.name: path.read_bytes() for path in pull.into.iterdir()} == {
        path.name: path.read_bytes() for path in other.into.iterdir()
    }


def test_a_pull_that_broke_off_asks_only_for_what_is_missing(pull: Pull, bank: Sources) -> None:
    bank.broken[VALUES, 3] = [503] * 5
    with pytest.raises(DependencyFailed, match="goes on"):
        world_bank(pull)
    assert not pull.into.exists()
    bank.asked.clear()
    world_bank(pull)
    assert bank.asked == [(VALUES, 3), *((VALUES.replace(CODES[0], CODES[1]), page) for page in (1, 2, 3))]
    assert loaded(pull).countries == ("AUT", "CIV", "FJI", "TUV")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_asked_again(pull: Pull, bank: Sources, status: int) -> None:
    bank.broken[VALUES, 2] = [status, status]
    told = world_bank(pull)
    assert bank.asked.count((VALUES, 2)) == 3
    assert told["requests"] == len(bank.asked)


def test_pages_of_two_editions_are_not_mixed(pull: Pull, bank: Sources) -> None:
    bank.broken[VALUES, 3] = [503] * 5
    with pytest.raises(DependencyFailed):
        world_bank(pull)
    bank.edition = "2025-10-01"
    bank.asked.clear()
    world_bank(pull)
    assert [page for path, page in bank.asked if path == VALUES] == [3, 1, 2, 3]


def test_what_was_answered_more_than_a_day_ago_is_asked_anew(pull: Pull, bank: Sources, tmp_path: Path) -> None:
    world_bank(pull)
    asked = len(bank.asked)
    for path in pull.cache.iterdir():
        os.utime(path, (time.time() - 90_000,) * 2)
    world_bank(replace(pull, into=tmp_path / "other"))
    assert len(bank.asked) == 2 * asked


def test_fresh_asks_anew(pull: Pull, bank: Sources, tmp_path: Path) -> None:
    world_bank(pull)
    asked = len(bank.asked)
    world_bank(replace(pull, into=tmp_path / "other", fresh=True))
    assert len(bank.asked) == 2 * asked


def test_unknown_indicators_are_named_before_any_value_is_asked_for(pull: Pull, bank: Sources) -> None:
    with pytest.raises(NotFound, match=r"no indicator NO\.SUCH, NOR\.THIS"):
        world_bank(replace(pull, indicators=("NO.SUCH", "SP.POP.TOTL", "NOR.THIS")))
    assert {path for path, _ in bank.asked if "all" in path} == set()
    assert not pull.into.exists()


def test_an_indicator_without_values_is_left_out_and_told(pull: Pull) -> None:
    told = world_bank(replace(pull, indicators=("SP.POP.TOTL", "NO.DATA")))
    assert told["without_data"] == ["NO.DATA"]
    assert loaded(pull).indicators == ("wdi-SP.POP.TOTL",)


def test_a_pull_without_any_value_writes_nothing(pull: Pull) -> None:
    with pytest.raises(NotFound, match=r"no value of NO\.DATA in 2000:2003"):
        world_bank(replace(pull, indicators=("NO.DATA",)))
    assert not pull.into.exists()


@pytest.mark.parametrize("codes", [(), ("../x",), ("..",), ("A B",)])
def test_what_cannot_be_a_code_is_refused_unasked(pull: Pull, bank: Sources, codes: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        world_bank(replace(pull, indicators=codes))
    assert bank.asked == []


def test_no_network_is_told_at_once(pull: Pull) -> None:
    with pytest.raises(DependencyFailed, match=r"no answer from http://127\.0\.0\.1"):
        world_bank(replace(pull, address=f"http://127.0.0.1:{free_port()}/v2"))


def test_a_set_that_is_there_is_not_replaced_unasked(pull: Pull, bank: Sources) -> None:
    pull.into.mkdir()
    (pull.into / "indicatorData.csv").write_text("mine")
    with pytest.raises(Conflict, match=r"indicatorData\.csv"):
        world_bank(pull)
    assert bank.asked == []
    assert (pull.into / "indicatorData.csv").read_text() == "mine"


def test_a_set_that_may_be_replaced_is_and_other_files_stay(pull: Pull) -> None:
    pull.into.mkdir()
    (pull.into / "indicatorData.csv").write_text("mine")
    (pull.into / "notes.txt").write_text("mine too")
    world_bank(replace(pull, replace=True))
    assert set(find_files(pull.into)) == {"indicatorData", "indicatorMeta", "datasetMeta", "countryMeta"}
    assert loaded(pull).indicators
    assert (pull.into / "notes.txt").read_text() == "mine too"


def test_the_summary_counts_what_was_written(pull: Pull) -> None:
    told = world_bank(pull)
    data = loaded(pull)
    assert (told["indicators"], told["countries"], told["years"]) == (2, 4, "2000:2003")
    assert told["filled"] == pytest.approx(np.isfinite(data.values).mean(), abs=1e-4)


def test_progress_ends_with_all_steps_done(pull: Pull, bank: Sources) -> None:
    steps: list[tuple[int, int]] = []
    world_bank(replace(pull, report=lambda _what, done, total: steps.append((done, total))))
    assert steps[-1] == (len(bank.asked), len(bank.asked))
    assert all(done <= total for done, total in steps)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'[{"page": 1}]', b'[{"pages": null}, []]'])
def test_an_answer_that_is_none_of_the_apis_is_not_taken(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_page(body)


def test_a_message_is_told_in_its_own_words() -> None:
    body = b'[{"message":[{"id":"175","key":"Invalid format","value":"The indicator was not found."}]}]'
    with pytest.raises(Refused, match=r"The indicator was not found\.") as caught:
        read_page(body)
    assert isinstance(caught.value, AtollError)


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("Poverty headcount ratio at $2.15 a day (2017 PPP) (% of population)", "% of population"),
        ("CO2 emissions (kt)", "kt"),
        ("Population, total", ""),
    ],
)
def test_units_are_read_from_a_name(name: str, units: str) -> None:
    assert units_in(name) == units
