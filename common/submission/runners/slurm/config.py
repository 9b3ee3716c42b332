"""What a cluster run by Slurm is told in `clusters.toml`, however it is reached.

::

    [atena02]
    kind = "slurm-ssh"
    folder = "/scratch/atoll"
    containers = "singularity"
    images = "/scratch/images"
    partitions = ["cpu", "gpu"]
    options = { qos = "long" }
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from common.submission.config import ClusterConfig

# A path that needs no quoting, neither in an #SBATCH line nor in a shell; Slurm replaces what follows a percent sign.
PlainPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_./+@:,=-]{1,500}$")]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
OptionValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:;@%/+*=|&()\[\]<>-]{0,500}$")]

# What Atoll sets itself, and what would make it lose sight of a job.
_TAKEN = frozenset({
    "array", "chdir", "cpus-per-task", "dependency", "error", "input", "job-name", "kill-on-invalid-dep", "mem",
    "no-requeue", "nodes", "open-mode", "output", "parsable", "partition", "requeue", "test-only", "time", "wait",
    "wrap",
})  # fmt: skip


class SlurmConfig(ClusterConfig):
    """A cluster run by Slurm.

    Parameters
    ----------
    folder : where the folders of tasks lie: absolute, seen by the login node and by every node.
    options : more options of `sbatch`, by their long names, for every job; an empty value for one that takes none.
    gpu_option : how GPUs are asked for: `gres` (`--gres=gpu:2`, for each node) or `gpus` (`--gpus=2`, for the job).
    """

    folder: PlainPath
    images: PlainPath | None = None
    containers: Literal["none", "singularity", "apptainer", "charliecloud"] = "none"
    options: dict[OptionName, OptionValue] = Field(default_factory=dict)
    gpu_option: Literal["gres", "gpus"] = "gres"

    @field_validator("folder", "images")
    @classmethod
    def _no_way_up(cls, path: str | None) -> str | None:
        if path is not None and ".." in path.split("/"):
            raise ValueError("holds `..`; give the folder itself")
        return None if path is None else path.rstrip("/")

    @field_validator("options")
    @classmethod
    def _leaves_atolls_own(cls, options: dict[str, str]) -> dict[str, str]:
        taken = sorted(_TAKEN & options.keys())
        if taken:
            raise ValueError(f"sets {', '.join(taken)}, which a task's own fields decide; leave it out")
        return options

    @model_validator(mode="after")
    def _defaults_are_among_them(self) -> "SlurmConfig":
        if self.default_partition and self.partitions and self.default_partition not in self.partitions:
            raise ValueError(f"default_partition is none of partitions ({', '.join(self.partitions)})")
        if self.default_account and self.accounts and self.default_account not in self.accounts:
            raise ValueError(f"default_account is none of accounts ({', '.join(self.accounts)})")
        return self

    def task_folder(self, name: str) -> str:
        """The folder of the submission with this name."""
        return f"{self.folder}/{name}"
