import math

import numpy as np
import pytest

from models.scaleout.learning.bell import Bell


def test_few_scale_outs_are_left_to_ernest() -> None:
    found = Bell.fit([2, 4, 8], [100.0, 55.0, 30.0])
    assert found.name == "ernest"
    assert math.isnan(found.error)


def test_what_no_sum_of_falling_terms_explains_is_followed_locally() -> None:
    x = np.repeat(np.arange(2, 21, 2), 3)
    times = np.where(x < 10, 300.0, 100.0) + x  # the data fit into memory from 10 on
    found = Bell.fit(x, times)
    assert found.name == "local-linear"
    assert found.predict([4, 18]) == pytest.approx([304.0, 118.0], rel=0.1)


def test_a_law_of_ernest_is_left_to_ernest_beyond_the_known_scale_outs() -> None:
    x = np.arange(2, 13, 2)
    found = Bell.fit(x, 20 + 300 / x)
    assert found.name == "ernest"
    assert found.predict([24]) == pytest.approx([32.5], rel=0.05)
