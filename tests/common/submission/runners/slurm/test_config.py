from typing import Any

import pytest
from pydantic import ValidationError

from common.submission.runners.slurm.config import SlurmConfig
from common.submission.runners.slurm.ssh.config import Identity, SlurmSshConfig

BASE = {"name": "c", "kind": "slurm-ssh", "folder": "/scratch/atoll"}
SSH = {**BASE, "host": "login.example.org", "user": "atoll", "key": "env:KEY"}


def ssh(**more: Any) -> SlurmSshConfig:
    return SlurmSshConfig.model_validate({**SSH, **more})


@pytest.mark.parametrize(
    "folder", ["scratch", "/scratch/my tasks", "/a/../b", "/a\nb", "/a%j", "/a'b", "~/atoll", "/$HOME"]
)
def test_a_folder_that_would_need_quoting_is_refused(folder: str) -> None:
    with pytest.raises(ValidationError, match="folder"):
        SlurmConfig.model_validate({**BASE, "folder": folder})


@pytest.mark.parametrize("option", ["output", "job-name", "wrap", "array", "no-requeue"])
def test_options_that_a_tasks_own_fields_decide_are_refused(option: str) -> None:
    with pytest.raises(ValidationError, match=f"sets {option}, which a task's own fields decide"):
        SlurmConfig.model_validate({**BASE, "options": {option: "x"}})


@pytest.mark.parametrize("options", [{"qos": "a b"}, {"qos": "a\n#SBATCH --uid=0"}, {"Qos": "a"}, {"qos long": ""}])
def test_options_hold_nothing_that_needs_quoting(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SlurmConfig.model_validate({**BASE, "options": options})


def test_a_default_partition_has_to_be_one_that_is_allowed() -> None:
    with pytest.raises(ValidationError, match=r"default_partition is none of partitions \(cpu\)"):
        SlurmConfig.model_validate({**BASE, "partitions": ["cpu"], "default_partition": "gpu"})


def test_a_key_itself_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError, match="by reference only"):
        ssh(key="-----BEGIN OPENSSH PRIVATE KEY-----")


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "", "a;b"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="host"):
        ssh(host=host)


def test_an_owner_with_an_account_of_their_own_is_that_account() -> None:
    config = ssh(identities={"oid:ana": {"user": "ana", "key": "env:ANAS"}})
    assert config.identity_of("oid:ana") == Identity("ana", "env:ANAS", None)
    assert config.identity_of("oid:bob") == Identity("atoll", "env:KEY", None)


def test_owners_without_an_account_can_be_kept_out() -> None:
    assert ssh(only_identities=True).identity_of("oid:bob") is None
