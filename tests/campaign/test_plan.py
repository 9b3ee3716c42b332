import random

from tests.campaign.plan import KILLS, plan
from tests.campaign.report import quantile

FAULTS = ["disk full", "clock jumps", "database restarted"]


def test_the_same_seed_draws_the_same_plan() -> None:
    assert plan(50, FAULTS, random.Random(7)) == plan(50, FAULTS, random.Random(7))


def test_there_are_as_many_kills_as_asked_for() -> None:
    steps = plan(200, FAULTS, random.Random(1))
    assert len(steps) == 200
    assert {step.kill for step in steps} == set(KILLS)


def test_every_fourth_kill_has_another_fault_beside_it() -> None:
    assert [step.fault is not None for step in plan(8, FAULTS, random.Random(1))] == [False, False, True, False] * 2


def test_every_fault_has_its_turn_before_one_comes_again() -> None:
    named = [step.fault for step in plan(24, FAULTS, random.Random(3)) if step.fault]
    assert sorted(named[:3]) == sorted(named[3:]) == sorted(FAULTS)


def test_kills_alone_have_nothing_beside_them() -> None:
    assert all(step.fault is None for step in plan(20, [], random.Random(1)))


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([1.0, 2.0, 3.0, 10.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 10.0], 0.99) == 10.0
