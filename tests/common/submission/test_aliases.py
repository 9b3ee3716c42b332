from common.submission.aliases import meant
from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec

CONFIG = ClusterConfig(
    name="atena02",
    kind="slurm-ssh",
    aliases={"partition": {"cpu": "debug"}, "account": {"twinscie": "labacct"}, "image": {"sklearn_latest": ""}},
)


def task(**fields: str) -> TaskSpec:
    return TaskSpec(name="train", cluster="atena02", entry_point="train.py", **fields)


def test_a_name_that_has_an_alias_means_that() -> None:
    spec = meant(task(partition="cpu", account="twinscie"), CONFIG)
    assert (spec.partition, spec.account) == ("debug", "labacct")


def test_a_name_without_an_alias_stays() -> None:
    assert meant(task(partition="short", image="other"), CONFIG) == task(partition="short", image="other")


def test_an_image_may_mean_none() -> None:
    assert meant(task(image="sklearn_latest"), CONFIG).image is None
