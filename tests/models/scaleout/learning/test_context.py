from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.learning.context import FULL, ONE_RUN, ONE_SCALE_OUT, PRIOR, TWO_RUNS, ContextModel
from models.scaleout.records import Application, Context
from tests.models.scaleout.learning.runs import CONTEXT, whole_run


def law(scale_out: float, size_mb: float) -> float:
    return 20.0 + 0.4 * size_mb / scale_out


def runs(scale_outs: list[int], sizes: list[float], noise: float = 0.01) -> list[Application]:
    random = np.random.default_rng(5)
    return [
        whole_run(
            f"{scale_out}-{size}",
            scale_out,
            law(scale_out, size) * float(np.exp(random.normal(0, noise))),
            replace(CONTEXT, data_size_mb=size),
        )
        for scale_out in scale_outs
        for size in sizes
    ]


def at(size_mb: float) -> Context:
    return replace(CONTEXT, data_size_mb=size_mb)


def test_a_size_never_seen_is_predicted_from_others() -> None:
    history = runs([2, 4, 8, 12], [1000.0, 2000.0, 4000.0])
    found = ContextModel.fit(history, at(3000.0)).predict(at(3000.0), [3, 6, 10])
    assert [one.median_s for one in found] == pytest.approx([law(n, 3000.0) for n in (3, 6, 10)], rel=0.05)


@pytest.mark.parametrize(
    ("scale_outs", "name"),
    [([], PRIOR), ([4], ONE_RUN), ([4, 8], TWO_RUNS), ([4, 4, 4], ONE_SCALE_OUT), ([4, 8, 12], FULL)],
)
def test_the_model_that_the_history_allows_is_named(scale_outs: list[int], name: str) -> None:
    history = [whole_run(str(place), n, law(n, 1000.0)) for place, n in enumerate(scale_outs)]
    found = ContextModel.fit(history, CONTEXT).predict(CONTEXT, [2, 6])
    assert [one.model for one in found] == [name, name]
    assert found[0].median_s > found[1].median_s


def test_more_runs_make_narrower_intervals() -> None:
    widths = []
    for count in (0, 1, 4, 12):
        history = runs([2, 4, 8, 12], [1000.0, 2000.0, 4000.0])[:count]
        (one,) = ContextModel.fit(history, at(1000.0)).predict(at(1000.0), [2])
        widths.append(np.log(one.high90_s / one.low90_s))
    assert widths == sorted(widths, reverse=True)


def test_intervals_hold_as_often_as_they_say() -> None:
    held = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        everything = [
            whole_run(str(place), int(n), law(n, size) * float(np.exp(random.normal(0, 0.05))), at(float(size)))
            for place, (n, size) in enumerate(random.uniform([2, 1000], [16, 5000], (140, 2)))
        ]
        everything = [replace(run, end_s=run.end_s) for run in everything]
        model = ContextModel.fit(everything[:60], *(run.context for run in everything[60:]))
        for run in everything[60:]:
            (one,) = model.predict(run.context, [run.start_scale_out or 1])
            held.append(one.low90_s <= (run.runtime_s or 0.0) <= one.high90_s)
    assert 0.83 < np.mean(held) < 0.97


def test_the_order_of_the_runs_and_their_targets_change_nothing() -> None:
    history = runs([2, 4, 8], [1000.0, 2000.0])
    others = [replace(run, target_s=17.0) for run in history]
    assert ContextModel.fit(history, CONTEXT).predict(at(1500.0), [5]) == ContextModel.fit(others, CONTEXT).predict(
        at(1500.0), [5]
    )


def test_a_run_of_another_algorithm_is_not_learnt_from() -> None:
    other = whole_run("other", 4, 9.0, Context("spark", "sort"))
    assert ContextModel.fit([other], CONTEXT).name == PRIOR


def test_runs_that_took_no_time_are_left_out() -> None:
    assert ContextModel.fit([whole_run("a", 4, 0.0)], CONTEXT).name == PRIOR
