"""Shares of the requests, without a database."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import AtollError, Invalid
from common.registry.choose import Routing, which_of
from common.registry.gate import figures
from common.registry.traffic import check_traffic, is_shadowed, pick
from common.registry.versions import Traffic

ALIASES = ("candidate", "default", "third")


def test_requests_are_shared_as_the_weights_say() -> None:
    traffic = Traffic(weights={"default": 0.9, "candidate": 0.1})
    counted = Counter(pick(traffic, f"request {number}") for number in range(20_000))
    # Four standard deviations.
    assert counted["candidate"] == pytest.approx(2000, abs=4 * math.sqrt(20_000 * 0.1 * 0.9))
    assert counted.total() == 20_000


def test_the_same_request_goes_to_the_same_alias_and_stays_there_when_the_canary_grows() -> None:
    keys = [f"request {number}" for number in range(2000)]
    small, large = (Traffic(weights={"default": 1 - share, "candidate": share}) for share in (0.1, 0.3))
    for key in keys:
        assert pick(small, key) == pick(small, key)
        if pick(small, key) == "candidate":
            assert pick(large, key) == "candidate"


def test_without_shares_default_answers() -> None:
    assert pick(None, "any") == "default"
    assert not is_shadowed(None, "any")


@given(
    st.dictionaries(st.sampled_from(ALIASES), st.floats(allow_nan=True, allow_infinity=True), max_size=3),
    st.sampled_from([None, *ALIASES]),
    st.floats(),
    st.text(max_size=10),
)
def test_shares_are_refused_or_name_an_alias_for_every_request(
    weights: dict[str, float], shadow: str | None, share: float, key: str
) -> None:
    try:
        traffic = check_traffic(weights, shadow, share, ALIASES)
    except AtollError:
        return
    assert pick(traffic, key) in traffic.weights


@given(st.lists(st.integers(1, 100), min_size=1, max_size=3), st.text(max_size=10))
def test_whole_parts_of_all_requests_are_accepted(parts: list[int], key: str) -> None:
    weights = {alias: part / sum(parts) for alias, part in zip(ALIASES, parts, strict=False)}
    assert pick(check_traffic(weights, None, 1.0, ALIASES), key) in weights


def test_a_shadow_is_asked_its_share_whatever_alias_answers() -> None:
    traffic = Traffic(weights={"default": 0.5, "third": 0.5}, shadow="candidate", shadow_share=0.5)
    shown = Counter(
        (pick(traffic, key), is_shadowed(traffic, key)) for key in (f"request {number}" for number in range(10_000))
    )
    assert all(count == pytest.approx(2500, abs=4 * math.sqrt(10_000 * 3 / 16)) for count in shown.values())


def test_a_shadow_never_shadows_itself() -> None:
    routing = Routing(Traffic(weights={"default": 0.5, "candidate": 0.5}, shadow="candidate"), frozenset(ALIASES))
    chosen = {routing.choose(str(key)) for key in range(100)}
    assert chosen == {("default", "candidate"), ("candidate", None)}


def test_an_alias_that_is_gone_gets_no_requests() -> None:
    routing = Routing(Traffic(weights={"candidate": 1}, shadow="third"), frozenset({"default"}))
    assert routing.choose("any") == ("default", None)


@pytest.mark.parametrize(
    ("version", "alias", "named"),
    [(None, None, None), ("3", None, 3), ("candidate", None, "candidate"), (None, "candidate", "candidate")],
)
def test_a_request_names_a_version_by_number_or_alias(
    version: str | None, alias: str | None, named: int | str | None
) -> None:
    assert which_of(version, alias) == named


@pytest.mark.parametrize(
    ("version", "alias"),
    [
        ("3", "candidate"),
        ("0", None),
        ("9" * 11, None),
        ("-1", None),
        ("", None),
        (None, "3"),
        (None, "A"),
        ("٣", None),
    ],
)
def test_what_names_no_version_is_refused(version: str | None, alias: str | None) -> None:
    with pytest.raises(Invalid):
        which_of(version, alias)


def test_figures_within_others_have_names_of_their_own() -> None:
    metrics = {"rmse": 1, "folds": {"mean": 0.5, "all": [1, 2]}, "nan": None, "ok": True, "inf": math.inf}
    assert figures(metrics) == {"rmse": 1.0, "folds.mean": 0.5}
