"""Settings of tasks that are submitted to clusters."""

from pathlib import Path

from pydantic import Field

from common.settings.base import Area


class SubmissionSettings(Area):
    """Tasks: users' programs on clusters."""

    clusters_file: Path | None = Field(
        None,
        validation_alias="CLUSTERS_FILE",
        description="The file that names the clusters; by default `clusters.toml` in the checkout, if there is one.",
    )
    concurrency: int = Field(
        4,
        ge=1,
        le=256,
        validation_alias="SUBMISSION_CONCURRENCY",
        description="Tasks that a process hands to clusters, cancels and collects at once.",
    )
    task_days: float = Field(
        30.0,
        gt=0,
        validation_alias="TASK_DAYS",
        description="Days after which a task that has finished is forgotten, with its files.",
    )
    max_config_bytes: int = Field(
        1_000_000,
        ge=1024,
        le=16_000_000,
        validation_alias="MAX_TASK_CONFIG_BYTES",
        description="Largest JSON config of a task, in bytes; a larger one is answered 413.",
    )
    max_program_bytes: int = Field(
        50_000_000,
        ge=1024,
        validation_alias="MAX_PROGRAM_BYTES",
        description="Largest program of a task, `.py`, `.sh` or `.zip`, in bytes; a larger one is answered 413.",
    )
    max_unpacked_bytes: int = Field(
        500_000_000,
        ge=1024,
        validation_alias="MAX_PROGRAM_UNPACKED_BYTES",
        description="Largest size that the files of a program in a `.zip` may have together, in bytes.",
    )
    max_unpacked_files: int = Field(
        10_000,
        ge=1,
        validation_alias="MAX_PROGRAM_FILES",
        description="Most files that a program in a `.zip` may have.",
    )
    max_input_bytes: int = Field(
        4_000_000_000,
        ge=1024,
        validation_alias="MAX_TASK_INPUT_BYTES",
        description="Largest size that the inputs of a task may have together, in bytes; more is answered 413.",
    )
    max_output_bytes: int = Field(
        20_000_000_000,
        ge=1024,
        validation_alias="MAX_TASK_OUTPUT_BYTES",
        description="Largest size of the files that are collected from a task, in bytes; the rest is left out.",
    )
