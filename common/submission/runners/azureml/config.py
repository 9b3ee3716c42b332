"""What a section of `clusters.toml` for Azure Machine Learning holds.

::

    [azure]
    kind = "azure-ml"
    subscription = "00000000-1111-2222-3333-444444444444"
    resource_group = "research"
    workspace = "models"
    storage_account = "researchmodels"
    storage_key = "env:AZURE_STORAGE_KEY"
    container = "atoll-tasks"                # files of tasks; a lifecycle rule may empty it
    default_partition = "cpu-cluster"        # a compute
    default_image = "sklearn:3"              # an environment of the workspace, or an image with its registry
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.submission.config import ClusterConfig, SecretRef
from common.submission.runners.kubernetes.config import Endpoint
from common.submission.spec import Word

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
AzureName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.()-]{0,89}$")]


class AzureMlConfig(ClusterConfig):
    """Azure Machine Learning, by its REST interface.

    Parameters
    ----------
    token : for Azure Resource Manager, by reference, read anew for each call; by default whatever `azure-identity`
        finds: its variables, workload identity, managed identity, `az login`.
    endpoint : of Azure Resource Manager, for another cloud.
    storage_account, storage_key, container : where files of tasks lie; the key signs addresses for them, and never
        leaves Atoll.
    blob_endpoint : of the account, for another cloud.
    images : a registry, for names of images without one. Without it such names are environments, `name:version`.
    default_image : for tasks that name none.
    experiment : of tasks that name none.
    log_every_s : how often a running task's log is put into the container.
    """

    kind: Literal["azure-ml"] = "azure-ml"
    containers: Literal["native"] = "native"
    share: None = None
    folder: None = None
    subscription: Guid
    resource_group: AzureName
    workspace: AzureName
    token: SecretRef | None = None
    endpoint: Endpoint = "https://management.azure.com"
    api_version: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] = "2024-04-01"
    storage_account: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,24}$")]
    storage_key: SecretRef
    container: Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")] = "atoll"
    blob_endpoint: Endpoint | None = None
    default_image: Word | None = None
    experiment: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$")] = "atoll"
    log_every_s: int = Field(10, ge=5, le=3600)

    @property
    def workspace_id(self) -> str:
        """The workspace's path at Azure Resource Manager."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    @property
    def blobs_url(self) -> str:
        return self.blob_endpoint or f"https://{self.storage_account}.blob.core.windows.net"
