"""What Atoll's objects are called and labelled with, so that they are found again. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from common.submission.names import task_of
from common.submission.records import Submission

MANAGED_BY = "app.kubernetes.io/managed-by"
TASK, ATTEMPT, OWNER, CLUSTER, ACCOUNT = (
    f"atoll/{word}" for word in ("task", "attempt", "owner", "cluster", "account")
)
TITLE = "atoll/title"
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def labels_of(task: Submission, cluster: str) -> dict[str, str]:
    """Those of the object and of its pods."""
    named = task_of(task.name)
    found = {
        MANAGED_BY: "atoll",
        CLUSTER: as_label(cluster),
        TASK: task.task_id,
        ATTEMPT: str(named[1] if named else 1),
        OWNER: owner_hash(task.owner),
    }
    if task.spec.account is not None:
        found[ACCOUNT] = as_label(task.spec.account)
    return found


def selector(cluster: str) -> str:
    """Finds all objects that were made for a cluster of that name."""
    return f"{MANAGED_BY}=atoll,{CLUSTER}={as_label(cluster)}"


def of_tasks(cluster: str, task_ids: list[str]) -> str:
    """Finds those of some tasks; where they are too many for an address, those of all."""
    few = len(task_ids) <= 100
    return f"{selector(cluster)},{TASK} in ({','.join(sorted(task_ids))})" if few else selector(cluster)


def is_ours(found: Mapping[str, Any], task_id: str) -> bool:
    """Whether an object was made for the task, by its labels."""
    labels = (found.get("metadata") or {}).get("labels") or {}
    return labels.get(MANAGED_BY) == "atoll" and labels.get(TASK) == task_id


def owner_hash(owner: str) -> str:
    """Tells owners apart without naming them: whoever reads the cluster's objects need not know Atoll's users."""
    return hashlib.sha256(owner.encode()).hexdigest()[:16]


def as_label(text: str) -> str:
    """The text where a label can hold it, else a hash of it."""
    return text if _LABEL.fullmatch(text) else "h-" + hashlib.sha256(text.encode()).hexdigest()[:16]
