"""What the models learned from, as it is told."""

import numpy as np
import pytest

from models.housing.chosen import served_now
from models.housing.features import FEATURES
from models.housing.learned import SHOWN, learned_from


def test_ranges_ascend_and_hold_the_districts_that_are_shown() -> None:
    told = learned_from(served_now().models)
    rows = np.array(told["rows"])
    assert rows.shape == (SHOWN, len(FEATURES) + 1)
    assert told["columns"] == [*FEATURES, "prediction"]
    for at, name in enumerate(FEATURES):
        ends = list(told["ranges"][name].values())
        assert ends == sorted(ends)
        assert ends[0] <= rows[:, at].min() <= rows[:, at].max() <= ends[-1]


def test_districts_lie_in_california_and_have_the_ages_of_the_census() -> None:
    ranges = learned_from(served_now().models)["ranges"]
    assert 32 < ranges["Latitude"]["least"] < ranges["Latitude"]["most"] < 42.5
    assert -125 < ranges["Longitude"]["least"] < ranges["Longitude"]["most"] < -114
    assert (ranges["HouseAge"]["least"], ranges["HouseAge"]["most"]) == (1, 52)


def test_a_district_that_is_shown_gets_the_price_that_stands_beside_it() -> None:
    models = served_now().models
    rows = np.array(learned_from(models)["rows"])[:50]
    assert models.boosted.predict(rows[:, :-1])[:, 0] == pytest.approx(rows[:, -1], abs=6e-4)
