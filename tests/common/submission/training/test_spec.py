"""What a training's query asks of its cluster."""

from typing import Any

import pytest

from common.errors import Invalid
from common.settings import Settings, StorageSettings
from common.submission.config import ClusterConfig
from common.submission.training.spec import training_spec


def spec_of(query: str = "", **section: Any) -> Any:
    config = ClusterConfig(**{"name": "atena02", "kind": "slurm-ssh", **section})
    return training_spec("sentiment", config, Settings(storage=StorageSettings()), query)


def test_a_cluster_is_asked_for_what_the_query_says() -> None:
    spec = spec_of("cluster=atena02&image=atoll_1&partition=gpu&account=a&time_limit=1:30:00&memory=2G&cpus=4&gpus=1")
    assert (spec.image, spec.partition, spec.account) == ("atoll_1", "gpu", "a")
    assert (spec.time_limit_s, spec.memory_bytes, spec.cpus, spec.gpus) == (5400, 2 << 30, 4, 1)


def test_other_control_is_no_matter_of_the_cluster() -> None:
    assert spec_of("cluster=atena02&name=x&environment=y") == spec_of()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("time_limit=soon", "query.time_limit"),
        ("memory=much", "query.memory"),
        ("memory=1", "query.memory"),
        ("time_limit=0", "query.time_limit"),
        ("cpus=0", "query.cpus"),
        ("gpus=one", "query.gpus"),
        ("partition=-x", "query.partition"),
        ("partition=cpu%0A%23SBATCH --uid=0", "query.partition"),
        ("image=a%20b", "query.image"),
    ],
)
def test_what_cannot_be_asked_for_names_its_field(query: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        spec_of(query)
    assert [error.field for error in caught.value.errors] == [field]


def test_the_share_is_where_the_cluster_mounts_it_unless_its_section_says_otherwise() -> None:
    assert spec_of(share="/mnt/atoll").environment == {"FILE_SHARE": "/mnt/atoll"}
    assert spec_of(share="/mnt/atoll", environment={"FILE_SHARE": "/other"}).environment == {}
    assert spec_of().environment == {}


def test_on_this_machine_the_training_finds_this_installation(tmp_path: Any) -> None:
    config = ClusterConfig(name="local", kind="local")
    settings = Settings(storage=StorageSettings(file_share=str(tmp_path), dataset_path=tmp_path / "data"))
    found = training_spec("sample", config, settings).environment
    assert (found["FILE_SHARE"], found["DATASET_PATH"]) == (str(tmp_path), str(tmp_path / "data"))
    assert "PYTHONPATH" in found
