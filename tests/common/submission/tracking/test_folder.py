"""Files of a program may hold anything."""

from pathlib import Path

import pytest

from common.storage.directory import DirectoryShare
from common.submission.spec import Tracking
from common.submission.tracking import merge, read
from common.submission.tracking.folder import last_value, parse_meta
from common.submission.tracking.read import credentials

EXPERIMENTS = Tracking(uri="experiments", experiment="e")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("1 0.5 0\n2 0.7 1\n", 0.7),
        ("9 0.7 1\n10 0.5 0\n", 0.7),
        ("1 0.5\n", 0.5),
        ("1 0.5 0\nnonsense\n\n1 x 2\n", 0.5),
        ("", None),
    ],
)
def test_a_metric_is_its_value_at_the_highest_step(content: str, value: float | None) -> None:
    assert last_value(content) == value


@pytest.mark.parametrize("content", ["", "- 1", "{", "a: !!python/object/apply:os.system [id]", "\0"])
def test_a_description_that_is_none_tells_nothing(content: str) -> None:
    assert parse_meta(content) == {}


def written(root: Path, run: str, name: str, **files: str) -> None:
    contents = {"meta.yaml": "run_name: x\nstatus: 3\nstart_time: 5\n", "tags/atoll.task": name} | files
    for path, content in contents.items():
        target = root / run / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


def test_the_newest_run_of_a_task_stands_for_it_and_no_child_does(tmp_path: Path) -> None:
    base = tmp_path / "tracking/experiments"
    written(base, "1/a", "n-1")
    written(base, "1/b", "n-1", **{"meta.yaml": "start_time: 9\nstatus: 4\n"})
    written(base, "1/c", "n-1", **{"meta.yaml": "start_time: 99\n", "tags/mlflow.parentRunId": "b"})
    written(base, "1/d", "n-2", **{"meta.yaml": "start_time: 999\n"})
    run = read(EXPERIMENTS, "n-1", share=DirectoryShare(tmp_path))
    assert run is not None
    assert (run.run_id, run.status) == ("b", "FAILED")


def test_a_run_of_nonsense_is_no_failure(tmp_path: Path) -> None:
    written(tmp_path / "tracking/experiments", "1/a", "n-1", **{"meta.yaml": "- \0", "metrics/x": "inf\n\xff 1 2"})
    run = read(EXPERIMENTS, "n-1", share=DirectoryShare(tmp_path))
    assert run is not None
    assert (run.run_id, run.metrics) == ("a", {})


def test_merging_keeps_runs_of_other_tasks_and_leaves_out_what_is_no_run(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    for number in ("1", "2"):
        output = tmp_path / f"tasks/{number}/output"
        written(output / "mlruns", "5/a" + number, "n-" + number)
        written(output / "mlruns", "5/.trash/deep", "n-" + number)
        (output / "mlruns/5/meta.yaml").write_text("name: e\nexperiment_id: '5'\n")
        assert merge(EXPERIMENTS, share, f"tasks/{number}/output") == 1
    runs = [read(EXPERIMENTS, f"n-{number}", share=share) for number in (1, 2)]
    assert [run.run_id for run in runs if run] == ["a1", "a2"]
    assert len({run.experiment_id for run in runs if run}) == 1


def test_a_run_of_somebody_else_is_not_written_over_by_its_id(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    for number in ("1", "2"):
        output = tmp_path / f"tasks/{number}/output"
        written(output / "mlruns", "5/same", "n-" + number, **{"params/by": number})
        (output / "mlruns/5/meta.yaml").write_text("name: e\n")
        merge(EXPERIMENTS, share, f"tasks/{number}/output")
    run = read(EXPERIMENTS, "n-1", share=share)
    assert run is not None
    assert run.params == {"by": "1"}
    assert read(EXPERIMENTS, "n-2", share=share) is None


def test_credentials_go_to_the_server_of_the_environment_only() -> None:
    own = {"MLFLOW_TRACKING_URI": "https://ml.example.org/", "MLFLOW_TRACKING_TOKEN": "t"}
    assert credentials("https://ml.example.org", own) == {"Authorization": "Bearer t"}
    assert credentials("https://evil.example.org", own) == {}
    assert credentials("https://ml.example.org", {"MLFLOW_TRACKING_TOKEN": "t"}) == {}
