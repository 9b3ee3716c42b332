"""The name that a submission carries on its cluster: made from the task's id, so that it can be asked for. Pure."""

import re

# Kubernetes takes 63 characters of lower-case letters, digits and hyphens, and so does everybody else.
_SLUG_CHARS = 30
_NAME = re.compile(r"(?:[a-z0-9-]*-)?([0-9a-z]{27})-([1-9]\d{0,3})")


def cluster_name(title: str, task_id: str, attempt: int) -> str:
    """The name of one attempt: at most 63 characters of `[a-z0-9-]`, beginning with a letter.

    Parameters
    ----------
    title : the task's name for people; what of it fits stands first.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower())[:_SLUG_CHARS].strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"t-{slug}"[:_SLUG_CHARS].strip("-")
    return f"{slug}-{task_id}-{attempt}"


def task_of(name: str) -> tuple[str, int] | None:
    """Task and attempt of a name that `cluster_name` made; None for others' names."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found else None
