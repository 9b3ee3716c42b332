"""What a Slurm cluster could never run, refused before it is asked. Pure.

From what is configured, and what the cluster told not long ago; what is not known is left to Slurm.
"""

from collections.abc import Iterable, Sequence

from common.errors import Invalid
from common.submission.records import Partition
from common.submission.runners.slurm.config import SlurmConfig
from common.submission.runners.slurm.containers import check_image
from common.submission.script import command
from common.submission.spec import TaskSpec


def check_spec(
    spec: TaskSpec, config: SlurmConfig, told: Sequence[Partition] | None, images: Iterable[str] | None
) -> None:
    """Refuse a task that this cluster could never run.

    Parameters
    ----------
    told : the partitions that the cluster has; None while it has not told.
    images : those that lie in its folder of images (`containers.image_names`); None where it has not told.

    Raises
    ------
    Invalid
        Names the field, and what may be sent instead.
    """
    partition = _partition(spec, config, told)
    if config.accounts and spec.account is not None and spec.account not in config.accounts:
        raise Invalid.field(
            "account", f"is none of {config.name}; send one of {_listed(config.accounts)}", spec.account
        )
    _check_time(spec, config, partition)
    check_image(spec.image, config, images)
    command(spec, config)


def _partition(spec: TaskSpec, config: SlurmConfig, told: Sequence[Partition] | None) -> Partition | None:
    """The one that the task goes to, as far as the cluster told of it."""
    there = {partition.name: partition for partition in told or ()}
    if spec.partition is not None:
        names = config.partitions or tuple(there)
        if names and spec.partition not in names:
            raise Invalid.field(
                "partition", f"{config.name} has no such partition; send one of {_listed(names)}", spec.partition
            )
    name = spec.partition or config.default_partition
    if name is None:
        return next((partition for partition in there.values() if partition.is_default), None)
    return there.get(name)


def _check_time(spec: TaskSpec, config: SlurmConfig, partition: Partition | None) -> None:
    asked_s = spec.time_limit_s
    if asked_s is None:
        return
    if config.max_time_limit_s is not None and asked_s > config.max_time_limit_s:
        raise Invalid.field("time_limit", f"{config.name} allows at most {config.max_time_limit_s} s", asked_s)
    if partition is not None and partition.max_time_s is not None and asked_s > partition.max_time_s:
        raise Invalid.field(
            "time_limit", f"the partition {partition.name} allows at most {partition.max_time_s} s", asked_s
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
