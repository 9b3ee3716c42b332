"""Names that clients send of partitions, accounts and images, and what they mean on a cluster. Pure.

Clients that were written for another cluster, or for one that has changed, go on as they are.
"""

from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec


def meant(spec: TaskSpec, config: ClusterConfig) -> TaskSpec:
    """The task in the cluster's own names; those without an alias stay, and one for nothing leaves the field out."""
    named = {"partition": spec.partition, "account": spec.account, "image": spec.image}
    changed = {
        field: config.aliases[field][name] or None
        for field, name in named.items()
        if name is not None and name in config.aliases.get(field, {})
    }
    return spec.model_copy(update=changed) if changed else spec
