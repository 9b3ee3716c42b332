from typing import Any

import pytest
from pydantic import ValidationError

from common.submission.records import Submission
from common.submission.runners.slurm.batch import batch_options
from common.submission.runners.slurm.rest import versions
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.properties import OPTIONS, job_body
from common.submission.spec import TaskSpec

NAME = "wine-000000000000000000000000000-1"


def config(**more: Any) -> SlurmRestConfig:
    return SlurmRestConfig.model_validate({
        "name": "c", "kind": "slurm-rest", "url": "https://slurm.example.org:6820", "user": "atoll",
        "token": "env:TOKEN", "folder": "/scratch/atoll", **more,
    })  # fmt: skip


def body(version: versions.Version, given: SlurmRestConfig | None = None, **spec: Any) -> dict[str, Any]:
    given = given or config()
    task = Submission("0" * 27, NAME, "ana", TaskSpec(name="wine", cluster="c", entry_point="a.py", **spec), ("7", "8"))
    return job_body("#!/bin/sh\n", batch_options(task, given, "/scratch/atoll/x"), {"PATH": "/bin"}, version)


ALL: dict[str, Any] = {
    "partition": "gpu", "account": "twin", "time_limit_s": 90, "memory_bytes": (1 << 30) + 1, "cpus": 4, "gpus": 2,
    "nodes": 3, "array": "0-9%2", "requeue": True,
}  # fmt: skip


def test_v38_is_told_everything_in_its_own_shape() -> None:
    assert body((0, 0, 38), **ALL) == {
        "script": "#!/bin/sh\n",
        "job": {
            "environment": {"PATH": "/bin"},
            "name": NAME,
            "current_working_directory": "/scratch/atoll/x",
            "standard_output": "/scratch/atoll/x/task-%a.log",
            "open_mode": "append",
            "requeue": True,
            "partition": "gpu",
            "account": "twin",
            "time_limit": 2,
            "memory_per_node": 1025,
            "cpus_per_task": 4,
            "nodes": [3, 3],
            "gres": "gpu:2",
            "array": "0-9%2",
            "dependency": "afterok:7:8",
            "kill_on_invalid_dependency": True,
        },
    }


def test_v40_is_told_everything_in_its_own_shape() -> None:
    assert body((0, 0, 40), **ALL) == {
        "script": "#!/bin/sh\n",
        "job": {
            "environment": ["PATH=/bin"],
            "name": NAME,
            "current_working_directory": "/scratch/atoll/x",
            "standard_output": "/scratch/atoll/x/task-%a.log",
            "open_mode": ["APPEND"],
            "requeue": True,
            "partition": "gpu",
            "account": "twin",
            "time_limit": {"set": True, "infinite": False, "number": 2},
            "memory_per_node": {"set": True, "infinite": False, "number": 1025},
            "cpus_per_task": 4,
            "minimum_nodes": 3,
            "maximum_nodes": 3,
            "tres_per_node": "gres/gpu:2",
            "array": "0-9%2",
            "dependency": "afterok:7:8",
            "flags": ["KILL_INVALID_DEPENDENCY"],
        },
    }


def test_a_job_that_may_not_be_put_back_says_so_in_the_words_that_each_version_understands() -> None:
    assert body((0, 0, 38))["job"]["no_requeue"] is True
    assert "requeue" not in body((0, 0, 38))["job"]
    assert body((0, 0, 40))["job"]["requeue"] is False


def test_from_v41_on_the_script_stands_in_the_job() -> None:
    told = body((0, 0, 41))

    assert list(told) == ["job"]
    assert told["job"]["script"] == "#!/bin/sh\n"


def test_gpus_of_the_whole_job_are_asked_for_as_such() -> None:
    assert body((0, 0, 40), config(gpu_option="gpus"), gpus=2)["job"]["tres_per_job"] == "gres/gpu:2"
    assert body((0, 0, 38), config(gpu_option="gpus"), gpus=2)["job"]["gpus"] == "2"


@pytest.mark.parametrize("version", [(0, 0, 38), (0, 0, 40)])
def test_every_option_that_an_administrator_may_set_has_a_property(version: versions.Version) -> None:
    values = {"nice": "5", "ntasks": "2", "ntasks-per-node": "2", "mem-per-cpu": "1G"}
    plain = set(body(version)["job"])

    for option in OPTIONS:
        assert set(body(version, config(options={option: values.get(option, "x")}))["job"]) - plain


def test_an_option_that_rest_does_not_know_is_refused_when_the_file_is_read() -> None:
    with pytest.raises(ValidationError, match="sets tmp; by REST there are comment"):
        config(options={"tmp": "5G"})


def test_a_time_limit_is_never_shortened_to_whole_minutes() -> None:
    assert body((0, 0, 38), time_limit_s=86400 + 3661)["job"]["time_limit"] == 1440 + 62


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["v0.0.38", "v0.0.37"], (0, 0, 38)),
        (["v0.0.39", "v0.0.41", "v0.0.40"], (0, 0, 41)),
        # Newer than any whose shapes were looked at.
        (["v0.0.40", "v0.0.99"], (0, 0, 40)),
        (["v0.0.99", "v0.0.98"], (0, 0, 98)),
        ([], None),
    ],
)
def test_the_newest_version_that_both_sides_know_is_spoken(there: list[str], chosen: versions.Version | None) -> None:
    paths = [f"/slurm/{version}/{what}" for version in there for what in ("jobs", "ping/")]

    assert versions.choose([*paths, "/openapi/v3", "/slurmdb/v0.0.99/jobs"]) == chosen


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"url": "http://slurm.example.org:6820"}, "would send the token unencrypted"),
        ({"url": "https://slurm.example.org/slurm"}, "pattern"),
        ({"url": "https://ana:secret@slurm.example.org"}, "pattern"),
        ({"token": "eyJhbGciOiJIUzI1NiJ9"}, "by reference only"),
        ({"user": "ana; rm"}, "pattern"),
        ({"api_version": "38"}, "pattern"),
        ({"access": "group"}, "go together"),
        ({"group": "hpc"}, "go together"),
        ({"cluster_folder": "/scratch/../etc"}, "holds `..`"),
        ({"users": {"ana": "ana\n"}}, "pattern"),
    ],
)
def test_a_wrong_section_is_refused_with_what_is_wrong(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(**section)


def test_the_token_may_go_without_tls_where_it_is_said() -> None:
    assert config(url="http://slurm.example.org:6820/", plain_http=True).url == "http://slurm.example.org:6820"
    assert config(url="http://127.0.0.1:6820").url == "http://127.0.0.1:6820"


def test_an_owner_without_an_account_of_their_own_has_the_common_one() -> None:
    given = config(users={"oid:ana": "ana"})

    assert (given.user_of("oid:ana"), given.user_of("oid:bob")) == ("ana", "atoll")
