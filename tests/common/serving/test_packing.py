"""Which waiting items make a batch."""

from hypothesis import given
from hypothesis import strategies as st

from common.serving.packing import pack

COSTS = st.lists(st.integers(1, 600), max_size=60)


@given(COSTS, st.integers(1, 5000), st.integers(1, 64))
def test_a_batch_holds_the_first_item_and_keeps_to_its_bounds(costs: list[int], budget: int, max_items: int) -> None:
    chosen = pack(costs, budget, max_items)
    if not costs:
        assert chosen == []
        return
    assert 0 in chosen
    assert len(set(chosen)) == len(chosen) <= max_items
    assert len(chosen) == 1 or max(costs[place] for place in chosen) * len(chosen) <= budget


@given(COSTS.filter(bool), st.integers(1, 5000), st.integers(1, 64))
def test_a_batch_has_no_gap_in_cost(costs: list[int], budget: int, max_items: int) -> None:
    chosen = pack(costs, budget, max_items)
    low, high = min(costs[place] for place in chosen), max(costs[place] for place in chosen)
    left_out = [cost for place, cost in enumerate(costs) if place not in chosen]
    assert not any(low < cost < high for cost in left_out)


def test_equal_costs_keep_their_order() -> None:
    assert pack([1] * 10, 4, 64) == [0, 1, 2, 3]
    assert pack([1] * 10, 100, 3) == [0, 1, 2]


def test_items_of_like_cost_go_together() -> None:
    assert pack([16, 512, 17, 480, 15], 16 * 4 * 2, 64) == [4, 0, 2]


def test_an_item_beyond_the_budget_runs_alone() -> None:
    assert pack([900, 3, 4], 512, 64) == [0]
