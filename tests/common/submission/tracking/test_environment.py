import json

import pytest

from common.errors import Invalid
from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec, Tracking
from common.submission.tracking import check, environment, folder_of

PLAIN = ClusterConfig(name="a", kind="local")


def spec(uri: str) -> TaskSpec:
    return TaskSpec(name="a", cluster="a", entry_point="a.py", tracking=Tracking(uri=uri, experiment="exp"))


def test_a_task_that_is_not_tracked_is_told_nothing() -> None:
    assert environment(TaskSpec(name="a", cluster="a", entry_point="a.py"), PLAIN, "n-1") == {}


def test_every_run_is_named_and_tagged_after_the_submission() -> None:
    told = environment(spec("https://mlflow.example.org/"), PLAIN, "n-1")
    assert (told["MLFLOW_TRACKING_URI"], told["MLFLOW_EXPERIMENT_NAME"]) == ("https://mlflow.example.org", "exp")
    assert json.loads(told["MLFLOW_RUN_CONTEXT"]) == {"mlflow.runName": "n-1", "atoll.task": "n-1"}


def test_a_folder_is_the_one_on_the_share_where_the_cluster_mounts_it() -> None:
    mounted = PLAIN.model_copy(update={"share": "/mnt/atoll share"})
    assert environment(spec("experiments"), mounted, "n")["MLFLOW_TRACKING_URI"] == (
        "file:/mnt/atoll%20share/tracking/experiments"
    )


def test_a_folder_is_collected_where_the_cluster_does_not_mount_the_share() -> None:
    assert environment(spec("experiments"), PLAIN, "n")["MLFLOW_TRACKING_URI"] == "$ATOLL_OUTPUT_DIR/mlruns"


@pytest.mark.parametrize("uri", ["experiments", "./experiments/", "team/experiments", "mlruns 2026", "a.b"])
def test_a_folders_name_is_taken(uri: str) -> None:
    check(Tracking(uri=uri, experiment="e"))
    assert folder_of(Tracking(uri=uri, experiment="e")).startswith("tracking/")


@pytest.mark.parametrize(
    "uri",
    ["", "..", "../x", "a/../b", "/etc", "a//b", "file:/etc", "sqlite:///x.db", "databricks://x", "ftp://x/y", "a\\b",
     ".hidden", "a.", "http://", "http:///x", "https://h:99999", "https://host/x?token=y", "https://h h/"],
)  # fmt: skip
def test_what_nobody_could_track_to_is_refused_with_what_to_send(uri: str) -> None:
    with pytest.raises(Invalid, match=r"tracking_uri: .*(send|address)"):
        check(Tracking(uri=uri, experiment="e"))


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(Invalid) as refused:
        check(Tracking(uri="https://user:hunter2@mlflow.example.org", experiment="e"))
    assert "hunter2" not in refused.value.detail
    assert "hunter2" not in str(refused.value.errors)
