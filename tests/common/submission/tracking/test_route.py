"""What a task that is tracked gets and shows, by the routes."""

from pathlib import Path

import pytest

from tests.common.submission.site import Site
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(make_app(tmp_path / "state"))


@pytest.mark.parametrize("uri", ["../../elsewhere", "sqlite:///x.db", "https://u:hunter2@mlflow.example.org"])
def test_an_address_that_nobody_could_track_to_is_refused_without_its_password(site: Site, uri: str) -> None:
    response = site.post({"model_tracking": True, "tracking_uri": uri, "experiment_name": "e"})
    assert_invalid(response, "config.tracking_uri")
    assert "hunter2" not in response.text


def test_a_run_that_a_program_recorded_is_shown_on_its_task(site: Site) -> None:
    task_id = site.accepted({"model_tracking": True, "tracking_uri": "experiments", "experiment_name": "atena_test"})
    site.work()
    name = site.task(task_id).name
    run_sh = site.cluster.folders[name]["run.sh"].decode()
    assert f'"atoll.task": "{name}"' in run_sh
    run = "output/mlruns/1/abc"
    files = {
        "output/mlruns/1/meta.yaml": b"name: atena_test\n",
        f"{run}/meta.yaml": b"run_name: x\nstatus: 3\n",
        f"{run}/tags/atoll.task": name.encode(),
        f"{run}/metrics/accuracy": b"1 0.75 0\n",
    }
    site.run(task_id, files=files)
    shown = site.get(task_id)
    assert (shown["run_id"], shown["metrics"]) == ("abc", {"accuracy": 0.75})
    assert shown["run"] == {"id": "abc", "uri": "experiments", "experiment": "atena_test"}
