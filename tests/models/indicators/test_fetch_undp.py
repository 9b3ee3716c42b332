"""Pulling from a stand-in of UNDP's file, named in `tests.support.indicator_sources`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import DependencyFailed, NotFound
from common.plugins import Pull
from models._indicators import IndicatorSet, load
from models._indicators.fetch import undp
from models._indicators.fetch_undp import describe, read
from tests.support.indicator_sources import UNDP, Sources


@pytest.fixture
def sources() -> Iterator[Sources]:
    standin = Sources()
    yield standin
    standin.close()


@pytest.fixture
def pull(sources: Sources, tmp_path: Path) -> Pull:
    return Pull((), 2000, 2002, tmp_path / "set", tmp_path / "cache" / "pulls", f"{sources.url}/report.csv")


def loaded(pull: Pull) -> IndicatorSet:
    return load(pull.into, pull.cache.parent / "arrays")


def test_a_pulled_report_loads_with_its_values_and_gaps(pull: Pull) -> None:
    undp(replace(pull, indicators=("hdi",)))
    data = loaded(pull)
    assert (data.countries, data.indicators, data.years) == (("CIV", "FJI", "TUV"), ("hdr-hdi",), (2000, 2001, 2002))
    nan = np.nan
    np.testing.assert_array_equal(data.values[:, :, 0], [[0.457, 0.671, nan], [nan, 0.675, nan], [0.459, 0.68, 0.64]])


def test_without_codes_all_indices_are_taken_but_ranks_and_groups(pull: Pull) -> None:
    undp(pull)
    assert loaded(pull).indicators == ("hdr-hdi", "hdr-le_f", "hdr-new")


def test_groups_of_countries_are_left_out(pull: Pull) -> None:
    undp(pull)
    assert not [code for code in loaded(pull).countries if code.startswith("ZZ")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_names_are_read_in_whatever_encoding_the_report_has(pull: Pull, sources: Sources, encoding: str) -> None:
    sources.report = UNDP.decode("latin-1").encode(encoding)
    undp(pull)
    assert loaded(pull).country_names["CIV"] == "Côte d'Ivoire"


def test_codes_are_taken_in_any_case_and_with_the_prefix_of_the_set(pull: Pull) -> None:
    undp(replace(pull, indicators=("HDI", "hdr-le_f", "hdi")))
    assert loaded(pull).indicators == ("hdr-hdi", "hdr-le_f")


def test_an_index_of_women_is_described_as_such() -> None:
    assert (describe("le_f").name, describe("le_f").dimension) == ("Life expectancy at birth, female", "female")


def test_an_unknown_index_is_answered_with_those_there_are(pull: Pull) -> None:
    with pytest.raises(NotFound, match="no index hdx; it has hdi, le_f, new"):
        undp(replace(pull, indicators=("hdx",)))


def test_years_without_a_value_are_answered_with_those_there_are(pull: Pull) -> None:
    with pytest.raises(NotFound, match="2000 to 2002"):
        undp(replace(pull, first_year=2030, last_year=2031))
    assert not pull.into.exists()


def test_an_index_without_a_value_is_left_out_and_told(pull: Pull) -> None:
    told = undp(replace(pull, first_year=2002))
    assert told["without_data"] == ["new"]


def test_the_report_is_asked_for_once_a_day(pull: Pull, sources: Sources, tmp_path: Path) -> None:
    undp(pull)
    undp(replace(pull, into=tmp_path / "other", indicators=("hdi",)))
    assert len(sources.asked) == 1


def test_an_address_that_is_gone_is_told(pull: Pull, sources: Sources) -> None:
    sources.broken["report.csv", 1] = [404]
    with pytest.raises(NotFound, match="answered 404; --base-url"):
        undp(pull)


@pytest.mark.parametrize("body", [b"", b"<html>moved</html>", b"iso3,country\nFJI,Fiji\n", b"\xff\xfe\x00"])
def test_another_file_is_refused(body: bytes) -> None:
    with pytest.raises(DependencyFailed, match="no CSV file"):
        read(body)


def test_short_and_blank_lines_are_gaps() -> None:
    _, rows = read(b"iso3,country,hdi_2000\nFJI,Fiji\n\nAUT,Austria,0.9\n")
    assert [row.get("hdi_2000") for row in rows] == [None, "0.9"]
