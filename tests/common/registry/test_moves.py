"""Rollback, promotion and shares of the requests, as the registry keeps them."""

import pytest

from common.clock import FakeClock
from common.database import Database
from common.errors import Conflict, Invalid, NotFound
from common.registry.gate import Gate
from common.registry.service import Registry
from common.storage import Blobs
from tests.common.registry.test_registry import WHO

LOWER = Gate("rmse", "lower")


def publish(registry: Registry, rmse: float = 1.0, alias: str | None = None) -> int:
    return registry.publish("housing", {"a": b"x"}, metrics={"rmse": rmse}, alias=alias, **WHO).number


def test_a_rollback_goes_back_step_by_step(registry: Registry) -> None:
    for _ in range(3):
        publish(registry, alias="default")
    assert [registry.rollback("housing").version for _ in range(2)] == [2, 1]
    assert registry.resolve("housing").number == 1
    with pytest.raises(Conflict, match="nothing before version 1; there is no way back"):
        registry.rollback("housing")


def test_a_move_after_a_rollback_comes_back_to_where_the_rollback_led(registry: Registry) -> None:
    for _ in range(3):
        publish(registry, alias="default")
    registry.rollback("housing")
    registry.set_alias("housing", "default", 1)
    assert registry.rollback("housing").version == 2


def test_where_a_rollback_leads_is_told_before(registry: Registry) -> None:
    for _ in range(3):
        publish(registry, alias="default")
    registry.set_alias("housing", "candidate", 3)
    # Of two moves to the same version the second is no step.
    registry.set_alias("housing", "default", 3)
    for led_to in (2, 1):
        assert registry.ways_back(registry.get_model("housing")) == {"default": led_to}
        assert registry.rollback("housing").version == led_to
    assert registry.ways_back(registry.get_model("housing")) == {}


def test_a_rollback_made_twice_by_mistake_goes_back_once(registry: Registry) -> None:
    for _ in range(3):
        publish(registry, alias="default")
    registry.rollback("housing", expected=3)
    with pytest.raises(Conflict, match="points to version 2, not 3"):
        registry.rollback("housing", expected=3)
    assert registry.resolve("housing").number == 2


def test_a_rollback_leaves_out_versions_that_were_deleted(registry: Registry) -> None:
    for _ in range(3):
        publish(registry, alias="default")
    registry.delete_version("housing", 2)
    assert registry.rollback("housing").version == 1


def test_as_many_steps_are_kept_as_anyone_goes_back(registry: Registry) -> None:
    for _ in range(25):
        publish(registry, alias="default")
    for _ in range(20):
        registry.rollback("housing")
    with pytest.raises(Conflict):
        registry.rollback("housing")
    assert registry.resolve("housing").number == 5


def test_aliases_have_pasts_of_their_own(registry: Registry) -> None:
    for alias in ("default", "candidate", "default", "candidate"):
        publish(registry, alias=alias)
    assert registry.rollback("housing", "candidate").version == 2
    assert registry.resolve("housing").number == 3
    with pytest.raises(NotFound, match="no alias 'other'; it has candidate, default"):
        registry.rollback("housing", "other")


def test_a_version_at_least_as_good_takes_the_defaults_place(registry: Registry) -> None:
    publish(registry, 1.0, "default")
    publish(registry, 1.0, "candidate")
    made = registry.promote("housing", "candidate", LOWER)
    assert (made.version, made.previous, made.figure, made.previous_figure) == (2, 1, 1.0, 1.0)
    assert registry.resolve("housing").number == 2
    assert registry.rollback("housing").version == 1


def test_a_worse_version_is_refused_with_both_figures(registry: Registry) -> None:
    publish(registry, 1.0, "default")
    publish(registry, 1.25, "candidate")
    with pytest.raises(Conflict, match=r"version 2 has rmse 1\.25, version 1 has 1; it has to be lower") as refused:
        registry.promote("housing", "candidate", LOWER)
    assert refused.value.extra == {"metric": "rmse", "direction": "lower", "candidate": 1.25, "current": 1.0}
    assert registry.resolve("housing").number == 1


def test_a_version_without_the_figure_is_refused_with_those_it_has(registry: Registry) -> None:
    publish(registry, 1.0, "default")
    publish(registry, 1.0, "candidate")
    with pytest.raises(Conflict, match="without a figure 'mae'; it has rmse"):
        registry.promote("housing", "candidate", Gate("mae", "lower"))


def test_the_first_default_has_nothing_to_be_better_than(registry: Registry) -> None:
    number = publish(registry)
    assert registry.promote("housing", number, LOWER).previous_figure is None
    assert registry.resolve("housing").number == number


def test_a_promotion_ends_the_canary_of_that_version(registry: Registry) -> None:
    publish(registry, 1.0, "default")
    publish(registry, 0.5, "candidate")
    registry.set_traffic("housing", {"default": 0.9, "candidate": 0.1})
    assert registry.promote("housing", "candidate", LOWER).traffic is None
    assert registry.get_model("housing").traffic is None


def test_shares_are_told_and_cleared(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    registry.set_traffic("housing", {"default": 1, "candidate": 0}, "candidate", 0.5)
    traffic = registry.get_model("housing").traffic
    assert traffic is not None
    assert traffic.model_dump() == {"weights": {"default": 1.0}, "shadow": "candidate", "shadow_share": 0.5}
    registry.clear_traffic("housing")
    assert registry.get_model("housing").traffic is None


def test_shares_of_aliases_that_are_not_there_are_refused_and_change_nothing(registry: Registry) -> None:
    publish(registry, alias="default")
    with pytest.raises(Conflict, match="no alias 'candidate' to send requests to; the model has default"):
        registry.set_traffic("housing", {"default": 0.9, "candidate": 0.1})
    with pytest.raises(Invalid, match=r"add up to 0\.9"):
        registry.set_traffic("housing", {"default": 0.9})
    with pytest.raises(NotFound):
        registry.set_traffic("other", {"default": 1})
    assert registry.get_model("housing").traffic is None


def test_an_alias_that_gets_requests_is_not_deleted(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    registry.set_traffic("housing", {"default": 0.9, "candidate": 0.1})
    with pytest.raises(Conflict, match="candidate of housing gets a share"):
        registry.delete_alias("housing", "candidate")
    registry.clear_traffic("housing")
    assert registry.delete_alias("housing", "candidate") == 2
    assert registry.get_model("housing").aliases == {"default": 1}
    registry.delete_version("housing", 2)


def test_the_shares_decide_who_answers_in_every_process_within_a_second(
    registry: Registry, database: Database, blobs: Blobs, clock: FakeClock
) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    other = Registry(database, blobs, clock=clock)
    assert {other.choose("housing", key=str(key)).number for key in range(50)} == {1}
    registry.set_traffic("housing", {"default": 0.5, "candidate": 0.5})
    clock.advance(1)
    assert {other.choose("housing", key=str(key)).number for key in range(50)} == {1, 2}


def test_what_a_request_names_goes_before_the_shares(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    registry.set_traffic("housing", {"candidate": 1})
    assert registry.choose("housing").headers == {"X-Model-Version": "2", "X-Model-Alias": "candidate"}
    assert registry.choose("housing", 1).headers == {"X-Model-Version": "1"}
    assert registry.choose("housing", "default").headers == {"X-Model-Version": "1", "X-Model-Alias": "default"}


def test_a_shadow_is_shown_the_request_and_does_not_answer(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    registry.set_traffic("housing", {"default": 1}, "candidate")
    chosen = registry.choose("housing")
    assert (chosen.number, chosen.shadow and chosen.shadow.number) == (1, 2)
    assert registry.choose("housing", 1).shadow is None


def test_an_event_loop_is_told_what_is_known_and_never_waits(
    registry: Registry, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    registry.set_traffic("housing", {"default": 1}, "candidate")
    assert registry.choose_known("housing") is None
    asked = registry.choose("housing", key="one")

    def unasked(_: object) -> None:
        raise AssertionError("asked the database")

    monkeypatch.setattr(database, "read", unasked)
    assert registry.choose_known("housing", key="one") == asked
    assert registry.choose_known("housing", "default") is not None
    assert registry.choose_known("housing", 1) is None
    clock.advance(1)
    assert registry.choose_known("housing") is None
