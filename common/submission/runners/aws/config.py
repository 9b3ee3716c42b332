"""What a section of `clusters.toml` for AWS Batch holds.

::

    [aws]
    kind = "aws-batch"
    region = "eu-central-1"
    bucket = "example-atoll-tasks"          # files of tasks; a lifecycle rule may empty it
    default_partition = "atoll-cpu"         # a job queue
    images = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    default_image = "python:3.11"
    execution_role = "arn:aws:iam::123456789012:role/atoll-batch"
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from common.submission.config import ClusterConfig, SecretRef
from common.submission.spec import Word

Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
Role = Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@?#]+$")]


class AwsBatchConfig(ClusterConfig):
    """AWS Batch.

    Without `access_key` and `profile`, boto3 looks for credentials where it always does: its variables, its files, the
    role of the machine.

    Parameters
    ----------
    bucket, prefix : where files of tasks lie.
    endpoint : of all services, for a private one; by default the region's.
    access_key, secret_key, session_token : by reference.
    images : a registry, for names of images without one.
    default_image : for tasks that name none.
    job_definition : one of your own, for all tasks; images cannot be chosen then. By default one is registered for
        each image.
    job_role, execution_role : of the containers; the second one pulls images and writes logs on Fargate.
    platform : what the queues' compute environments are.
    default_cpus, default_memory_mib : of tasks that ask for none.
    requeue_attempts : how often a task with `requeue` may begin, when its host is taken away.
    live_logs : where a running task's log is read: `cloudwatch`, or `bucket`, into which it is put every `log_every_s`.
    """

    kind: Literal["aws-batch"] = "aws-batch"
    containers: Literal["native"] = "native"
    share: None = None
    folder: None = None
    region: Word
    bucket: Bucket
    prefix: Prefix = "atoll"
    endpoint: Url | None = None
    profile: Word | None = None
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    session_token: SecretRef | None = None
    default_image: Word | None = None
    job_definition: Word | None = None
    job_role: Role | None = None
    execution_role: Role | None = None
    platform: Literal["EC2", "FARGATE"] = "EC2"
    default_cpus: int = Field(1, ge=1)
    default_memory_mib: int = Field(2048, ge=4)
    requeue_attempts: int = Field(3, ge=2, le=10)
    live_logs: Literal["cloudwatch", "bucket"] = "cloudwatch"
    log_group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./#-]{1,512}$")] = "/aws/batch/job"
    log_every_s: int = Field(15, ge=5, le=3600)

    @model_validator(mode="after")
    def _fits(self) -> "AwsBatchConfig":
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        if self.profile and self.access_key:
            raise ValueError("give either profile, or access_key and secret_key")
        if self.job_definition and (self.default_image or self.images or self.allowed_images):
            raise ValueError("job_definition names the image; leave out default_image, images and allowed_images")
        if self.platform == "FARGATE" and self.execution_role is None and self.job_definition is None:
            raise ValueError("FARGATE needs execution_role, which pulls images and writes logs")
        return self
