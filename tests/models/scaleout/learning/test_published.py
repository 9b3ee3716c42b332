"""On published runs, where they are there: small samples of what `make bench-scaleout` measures in full."""

import pytest

from benchmarks.scaleout.c3o import PUBLISHED, Regime, measure
from benchmarks.scaleout.published import FOLDER, adjusted_runs, c3o
from models.scaleout.learning.ellis import Ellis, steps

pytestmark = pytest.mark.skipif(
    not (FOLDER / "c3o.csv.gz").is_file(), reason="absent: ../shared/data/scaleout with the published runs"
)


@pytest.mark.parametrize(
    ("algorithm", "regime"), [("sort", "3"), ("grep", "local"), ("sgd", "15"), ("kmeans", "6"), ("pagerank", "30")]
)
def test_run_times_in_other_contexts_are_told_better_than_published(algorithm: str, regime: str) -> None:
    assert measure(Regime(algorithm, regime), 10).error < PUBLISHED[algorithm][regime]


def test_rows_are_those_of_the_publication() -> None:
    assert {name: len(c3o(name)) for name in PUBLISHED} == {
        "sort": 36,
        "grep": 150,
        "sgd": 140,
        "kmeans": 140,
        "pagerank": 270,
    }


def test_ellis_is_within_a_fifth_of_profiling_runs_it_did_not_see() -> None:
    runs = next(runs for (method, algorithm), runs in adjusted_runs() if (method, algorithm) == ("ellis", "MPC"))
    *history, asked = [run for run, phase in runs if phase == "profiling"]
    scale_out = asked.jobs[0].start_scale_out or 1
    said = Ellis.fit(history).remaining([], [scale_out])[0]
    assert said == pytest.approx(sum(step.took_s for step in steps(asked)), rel=0.2)
