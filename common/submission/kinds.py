"""The kinds of clusters, and where their runners are; imported on first use."""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import Unavailable
from common.submission.config import ClusterConfig
from common.submission.runners.base import Runner

_RUNNERS = "common.submission.runners"


class ExtraMissing(Unavailable):
    """A kind of cluster needs a package that is not installed."""

    title, slug = "Not installed", "extra-missing"


@dataclass(frozen=True)
class Kind:
    """One kind of cluster.

    Parameters
    ----------
    runner, config : `module:class`; the config must not need the extra.
    extra, package : what has to be installed for the runner, and how to tell that it is.
    """

    runner: str
    config: str
    extra: str | None = None
    package: str | None = None

    def config_class(self) -> type[ClusterConfig]:
        found: type[ClusterConfig] = _load(self.config)
        return found

    def runner_class(self) -> type[Runner]:
        """Raises `ExtraMissing`, which says what to install."""
        if self.missing:
            raise ExtraMissing(self.missing)
        found: type[Runner] = _load(self.runner)
        return found

    @property
    def missing(self) -> str | None:
        """What to do before clusters of this kind can be used; None if nothing is missing."""
        if self.package is None or importlib.util.find_spec(self.package) is not None:
            return None
        return f"clusters of this kind need more packages: pip install 'atoll[{self.extra}]'"


KINDS: Mapping[str, Kind] = {
    "local": Kind(f"{_RUNNERS}.local.runner:LocalRunner", f"{_RUNNERS}.local.config:LocalConfig"),
    "slurm-ssh": Kind(f"{_RUNNERS}.slurm.ssh.runner:SlurmSshRunner", f"{_RUNNERS}.slurm.ssh.config:SlurmSshConfig"),
    "slurm-rest": Kind(
        f"{_RUNNERS}.slurm.rest.runner:SlurmRestRunner", f"{_RUNNERS}.slurm.rest.config:SlurmRestConfig"
    ),
    "kubernetes": Kind(
        f"{_RUNNERS}.kubernetes.runner:KubernetesRunner",
        f"{_RUNNERS}.kubernetes.config:KubernetesConfig",
        extra="kubernetes",
        package="kubernetes",
    ),
    "spark": Kind(
        f"{_RUNNERS}.spark.runner:SparkRunner",
        f"{_RUNNERS}.spark.config:SparkConfig",
        extra="kubernetes",
        package="kubernetes",
    ),
    "aws-batch": Kind(
        f"{_RUNNERS}.aws.runner:AwsBatchRunner", f"{_RUNNERS}.aws.config:AwsBatchConfig", extra="aws", package="boto3"
    ),
    "azure-ml": Kind(f"{_RUNNERS}.azureml.runner:AzureMlRunner", f"{_RUNNERS}.azureml.config:AzureMlConfig"),
}


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
