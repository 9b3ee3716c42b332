"""Runs of real MLflow, as a task's program makes them: on a real tracking server, and in folders."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from common.http.addresses import Allowance
from common.storage.directory import DirectoryShare
from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec, Tracking
from common.submission.tracking import TrackedRun, environment, merge, read
from common.submission.tracking.merge import experiment_number

# The first one may have to install MLflow.
pytestmark = pytest.mark.timeout(900)

LOOPBACK = Allowance.parse(["127.0.0.1"])
NAME, OTHER = "atena-test-000000000000000000000000001-1", "atena-test-000000000000000000000000002-1"
CLUSTER = ClusterConfig(name="atena02", kind="local")
OUTPUT = "tasks/1/1/output"
Program = Callable[..., None]


@pytest.fixture
def share(tmp_path: Path) -> DirectoryShare:
    return DirectoryShare(tmp_path / "share")


@pytest.fixture(scope="session")
def program(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Runs the tracked program with these variables, as a cluster would: nothing else of this process reaches it."""
    home = tmp_path_factory.mktemp("mlflow-task")

    def run(variables: dict[str, str], *arguments: str, output: Path = home) -> None:
        told = {name: value.replace("$ATOLL_OUTPUT_DIR", str(output)) for name, value in variables.items()}
        done = subprocess.run(
            [mlflow_python, str(Path(__file__).with_name("tracked_program.py")), *arguments],
            env={"PATH": os.defpath, "HOME": str(home), **told},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    return run


def asked_for(uri: str, experiment: str = "atena_test") -> TaskSpec:
    tracking = Tracking(uri=uri, experiment=experiment)
    return TaskSpec(name=experiment, cluster="atena02", entry_point="a.py", tracking=tracking)


def told(run: TrackedRun | None) -> tuple[str, str, dict[str, float], dict[str, str]]:
    assert run is not None
    return run.name, run.status, dict(run.metrics), dict(run.params)


EXPECTED = (NAME, "FINISHED", {"accuracy": 0.75}, {"n_estimators": "2"})


def test_a_run_on_a_real_server_is_found_by_its_submission(
    program: Program, tracking_server: str, share: DirectoryShare
) -> None:
    spec = asked_for(tracking_server)
    program(environment(spec, CLUSTER, NAME), "nested")
    program(environment(spec, CLUSTER, OTHER))
    run = read(spec.tracking, NAME, share=share, allow=LOOPBACK)
    assert told(run) == EXPECTED
    assert run is not None
    assert run.link == f"{tracking_server}/#/experiments/{run.experiment_id}/runs/{run.run_id}"


def test_a_run_in_an_experiment_of_the_programs_own_is_found(
    program: Program, tracking_server: str, share: DirectoryShare
) -> None:
    spec = asked_for(tracking_server)
    name = "atena-test-000000000000000000000000003-1"
    program(environment(spec, CLUSTER, name), "elsewhere")
    run = read(spec.tracking, name, share=share, allow=LOOPBACK)
    assert run is not None
    assert (run.name, run.metrics["accuracy"]) == (name, 0.75)


def test_a_server_that_may_not_be_called_is_not_called(tracking_server: str, share: DirectoryShare) -> None:
    assert read(asked_for(tracking_server).tracking, NAME, share=share) is None


def test_a_run_in_a_folder_of_the_mounted_share_is_found(program: Program, share: DirectoryShare) -> None:
    spec = asked_for("experiments")
    mounted = CLUSTER.model_copy(update={"share": str(share.root)})
    program(environment(spec, mounted, NAME), "nested")
    program(environment(spec, mounted, OTHER))
    assert (share.root / "tracking" / "experiments").is_dir()
    assert told(read(spec.tracking, NAME, share=share)) == EXPECTED


def test_runs_that_tasks_brought_back_become_one_experiment_that_mlflow_reads(
    program: Program, share: DirectoryShare, mlflow_python: str
) -> None:
    spec = asked_for("experiments")
    for number, name in enumerate((NAME, OTHER), 1):
        output = f"tasks/{number}/1/output"
        program(environment(spec, CLUSTER, name), output=share.root / output)
        assert told(read(spec.tracking, name, share=share, output=output))[0] == name
        # Twice, as a task may be collected again.
        assert [merge(spec.tracking, share, output) for _ in range(2)] == [1, 1]
    assert told(read(spec.tracking, NAME, share=share)) == EXPECTED
    # And MLflow itself sees both, in the one experiment, with their files.
    script = (
        "import mlflow\n"
        "runs = mlflow.search_runs(experiment_names=['atena_test'], output_format='list')\n"
        "for run in sorted(runs, key=lambda run: run.info.run_name):\n"
        "    text = mlflow.artifacts.load_text(run.info.artifact_uri + '/note.txt')\n"
        "    print(run.info.run_name, run.data.metrics['accuracy'], text)\n"
    )
    seen = subprocess.run(
        [mlflow_python, "-c", script],
        env={
            "PATH": os.defpath,
            "HOME": str(share.root),
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_TRACKING_URI": f"file:{share.root}/tracking/experiments",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert seen.stdout.splitlines() == [f"{NAME} 0.75 what it made", f"{OTHER} 0.75 what it made"], seen.stderr[-2000:]
    assert (share.root / "tracking/experiments" / experiment_number("atena_test")).is_dir()
