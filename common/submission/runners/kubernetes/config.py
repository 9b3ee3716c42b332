"""What a section of `clusters.toml` for Kubernetes holds.

::

    [kubernetes]
    kind = "kubernetes"
    context = "prod"                       # of the kubeconfig; or endpoint, api_key and ca_file
    namespace = "atoll"
    default_image = "registry.example.org/atoll/python:3.11"
    claim = "atoll-share"                  # a PersistentVolumeClaim with Atoll's share; without it, files go inline
    share = "/mnt/atoll"                   # where pods see it

    [kubernetes.pools.gpu]                 # partition gpu
    node_selector = { "pool" = "gpu" }
    tolerations = [{ key = "gpu", operator = "Exists", effect = "NoSchedule" }]
    priority_class = "batch"
"""

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.submission.config import ClusterConfig, SecretRef
from common.submission.spec import Line, Word

# RFC 1123 labels and subdomains, as Kubernetes names its objects.
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
LabelName = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
Quantity = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,15}([KMGT]i?|k|m)?$")]


def _is_safe(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme == "https" and parts.hostname:
        return endpoint.rstrip("/")
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return endpoint.rstrip("/")
    raise ValueError("is no https:// address; the token would travel in the open")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_absolute(path: str) -> str:
    if not path.startswith("/") or ":" in path or ".." in path.split("/"):
        raise ValueError("is no absolute path, e.g. /mnt/atoll")
    return path.rstrip("/") or "/"


Endpoint = Annotated[str, AfterValidator(_is_safe)]
MountPath = Annotated[str, AfterValidator(_is_absolute)]


class Toleration(BaseModel):
    """As Kubernetes writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: int | None = None  # noqa: N815 - Kubernetes' own name

    def manifest(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Pool(BaseModel):
    """What a partition means.

    Parameters
    ----------
    labels : of the Job, e.g. `kueue.x-k8s.io/queue-name`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_selector: dict[LabelName, LabelValue] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    priority_class: DnsName | None = None
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict)
    max_time_s: int | None = Field(None, ge=1)


class KubernetesBase(ClusterConfig):
    """What Jobs and SparkApplications have in common.

    Without `endpoint`, `kubeconfig` and `context` it is the service account of the pod that Atoll runs in; outside of
    a cluster, the kubeconfig that `KUBECONFIG` names, or `~/.kube/config`.

    Parameters
    ----------
    endpoint : of the API server.
    api_key : the token, by reference, read anew for each call.
    ca_file : the certificate authority of the endpoint, PEM; by default the system's.
    claim : the PersistentVolumeClaim with Atoll's share; pods see their part of it below `share`.
    claim_folder : where Atoll's share lies in that volume; by default it is the whole of it.
    folder : the tasks' folders, below the share.
    images : a registry, for names of images without one.
    default_image : for tasks that name none.
    pools : what partitions mean; the names of all partitions.
    keep_s : how long a finished one stays on the cluster.
    stuck_after_s : how long a task may wait for an image or a container that cannot be made before it has failed.
    user_id, group_id : that programs run as; `user_id = 0` leaves it to the image, which then must not be root's.
    """

    containers: Literal["native"] = "native"
    endpoint: Endpoint | None = None
    api_key: SecretRef | None = None
    api_key_prefix: Line = "Bearer"
    ca_file: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    namespace: DnsLabel | None = None
    claim: DnsName | None = None
    claim_folder: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)?$")
    ] = ""
    share: MountPath | None = None
    folder: str = "clusters"
    default_image: Word | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[DnsName, ...] = ()
    pools: dict[Word, Pool] = Field(default_factory=lambda: {"cpu": Pool()})
    gpu_resource: LabelName = "nvidia.com/gpu"
    service_account: DnsName | None = None
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict)
    keep_s: int = Field(86_400, ge=60)
    stuck_after_s: float = Field(600.0, gt=0)
    user_id: int = Field(1000, ge=0, le=2**31 - 1)
    group_id: int = Field(1000, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _fits(self) -> "KubernetesBase":
        if (self.claim is None) != (self.share is None):
            raise ValueError("claim and share belong together: the volume, and where pods see it")
        if self.api_key is not None and self.endpoint is None:
            raise ValueError("api_key needs endpoint, the https:// address of the API server")
        if self.endpoint is not None and (self.kubeconfig or self.context):
            raise ValueError("give either endpoint, or kubeconfig and context")
        if set(self.partitions) - set(self.pools):
            raise ValueError(f"partitions names what is not in pools: {', '.join(self.pools)}")
        if self.default_partition is not None and self.default_partition not in self.pools:
            raise ValueError(f"default_partition is not in pools: {', '.join(self.pools)}")
        folder = self.folder.split("/")
        if any(part in ("", ".", "..") for part in folder):
            raise ValueError("folder is no path below the share, e.g. clusters")
        return self

    @property
    def task_root(self) -> str | None:
        """Where pods see the tasks' folders; None without a share."""
        return None if self.share is None else f"{self.share.rstrip('/')}/{self.folder}/{self.name}"


class KubernetesConfig(KubernetesBase):
    """Jobs.

    Parameters
    ----------
    default_cpus, default_memory : of tasks that ask for none; `default_memory` as Kubernetes writes it, `512Mi`.
    scratch : the most that a task may write to `/tmp`, e.g. `10Gi`.
    wait_limit_s : how long a task may wait for a node on top of its time limit.
    max_inline_bytes : of the packed files of a task, without a share.
    max_output_bytes : of the packed outputs of a task, without a share.
    """

    kind: Literal["kubernetes"] = "kubernetes"
    default_cpus: int | None = Field(None, ge=1)
    default_memory: Quantity | None = None
    scratch: Quantity | None = None
    wait_limit_s: int = Field(86_400, ge=0)
    # Linux takes 128 KiB for one variable.
    max_inline_bytes: int = Field(96 << 10, ge=1024, le=120 << 10)
    # The kubelet begins a new log file after 10 MiB.
    max_output_bytes: int = Field(4 << 20, ge=1024, le=8 << 20)
