import math
from dataclasses import replace

import pytest

from models.scaleout.learning.features import Space, finished, scale_out_of, values
from models.scaleout.records import Application, Context, JobExecution
from tests.models.scaleout.learning.runs import CONTEXT, whole_run


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--k", "5"), {"argument k": 5.0}),
        (("--k=5",), {"argument k": 5.0}),
        (("k=5", "--verbose"), {"argument k": 5.0, "argument verbose": "set"}),
        (("hdfs://a/b", "5"), {"argument 0": "hdfs://a/b", "argument 1": 5.0}),
        (("--size", "10g"), {"argument size": 10e9}),
        (("--rate", "-0.5e-3"), {"argument rate": -0.0005}),
        (("", " "), {}),
        (("1e999",), {"argument 0": "1e999"}),
    ],
)
def test_arguments_are_read_by_their_names_or_places(arguments: tuple[str, ...], found: dict[str, object]) -> None:
    assert values(replace(CONTEXT, arguments=arguments)) == found


def test_sizes_that_cannot_be_are_as_if_not_told() -> None:
    told = Context("spark", "kmeans", data_size_mb=-5.0, cores=0, memory_mb=math.nan)
    assert values(told) == {}


def test_what_is_the_same_in_all_runs_is_no_column() -> None:
    contexts = [replace(CONTEXT, data_size_mb=float(size), machine="m4") for size in (10, 20)]
    assert [column.name for column in Space.of(contexts).columns] == ["data_size_mb"]


def test_machines_are_told_apart_and_a_missing_size_is_taken_for_the_usual_one() -> None:
    contexts = [
        replace(CONTEXT, machine="m4", data_size_mb=10.0),
        replace(CONTEXT, machine="r4", data_size_mb=40.0),
        replace(CONTEXT, machine="r4"),
    ]
    rows = Space.of(contexts).rows(contexts, [1, 2, 4])
    assert rows[:, 0] == pytest.approx([0.0, math.log(2), math.log(4)])
    assert rows[:, 1] == pytest.approx([math.log(10), math.log(40), math.log(20)])
    assert rows[:, 2].tolist() == [0.0, 1.0, 1.0]


def test_a_share_that_may_be_nought_is_no_logarithm() -> None:
    contexts = [replace(CONTEXT, arguments=(f"--share={share}",)) for share in (0, 0.5, 1)]
    rows = Space.of(contexts).rows(contexts, [1, 1, 1])
    assert rows[0, 1] == 0.0
    assert rows[2, 1] > rows[1, 1] > 0.0


def test_the_scale_out_of_a_run_is_that_of_its_jobs_by_their_times() -> None:
    jobs = (JobExecution(0, 0.0, 30.0, 2, 2), JobExecution(1, 30.0, 40.0, 6, 6), JobExecution(2))
    assert scale_out_of(Application("a", CONTEXT, start_scale_out=9, jobs=jobs)) == 3.0
    assert scale_out_of(Application("a", CONTEXT, start_scale_out=2, end_scale_out=4)) == 3.0
    assert scale_out_of(Application("a", CONTEXT)) is None


def test_runs_are_learnt_from_by_their_algorithm_and_never_by_their_target() -> None:
    same = replace(whole_run("same", 2, 50.0, start_s=9.0), target_s=1.0)
    older = replace(whole_run("older", 2, 50.0), target_s=1e6)
    other = whole_run("other", 2, 50.0, replace(CONTEXT, algorithm="sort"))
    going_on = replace(whole_run("going on", 2, 50.0), end_s=None)
    backwards = replace(whole_run("backwards", 2, 50.0), end_s=-5.0)
    unknown = replace(whole_run("no scale-out", 2, 50.0), start_scale_out=None, end_scale_out=None)
    found = finished([same, older, other, going_on, backwards, unknown], CONTEXT)
    assert [run.execution_id for run in found] == ["older", "same"]
