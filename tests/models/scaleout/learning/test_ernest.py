import numpy as np
import pytest

from models.scaleout.learning.ernest import Ernest


def test_the_law_that_made_the_times_is_found() -> None:
    x = np.array([1, 2, 4, 8, 16, 32])
    found = Ernest.fit(x, 10 + 200 / x + 0.5 * x)
    assert found.predict([3, 64]) == pytest.approx([10 + 200 / 3 + 1.5, 10 + 200 / 64 + 32], rel=1e-3)
    assert (found.weights >= 0).all()


def test_one_scale_out_is_answered_by_its_mean_everywhere() -> None:
    assert Ernest.fit([4, 4], [10.0, 10.0]).predict([1, 4, 50]) == pytest.approx([10.0] * 3)


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ernest.fit([], [])
