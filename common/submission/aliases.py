"""Names that clients send of partitions, accounts and images, and what they mean on a cluster. Pure.

Clients that were written for another cluster, or for one that has changed, go on as they are.
"""

from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec


def meant(spec: TaskSpec, config: ClusterConfig) -> TaskSpec:
    """The task in the cluster's own names; those without an alias stay, and one for nothing leaves the field out."""
    changed: dict[str, str | None] = {
        field: names[name] or None for field, names in config.aliases.items() if (name := getattr(spec, field)) in names
    }
    return spec.model_copy(update=changed) if changed else spec
