"""What a Kubernetes cluster could never run, and what the configuration makes of a spec. Pure."""

import re
from fnmatch import fnmatchcase

from common.errors import Invalid
from common.submission.arrays import indices
from common.submission.runners.kubernetes.config import KubernetesBase, Pool
from common.submission.spec import TaskSpec

# github.com/distribution/reference, as far as a user may write it: [host[:port]/]path[:tag][@digest].
_IMAGE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?"
)


def check(spec: TaskSpec, config: KubernetesBase) -> None:
    """Refuse what could never run there.

    Raises
    ------
    Invalid
        Names the field, and what may be sent instead.
    """
    _check_partition(spec, config)
    _check_image(spec, config)
    if spec.account is not None and config.accounts and spec.account not in config.accounts:
        raise Invalid.field("account", f"is none of {', '.join(config.accounts)}", spec.account)
    if spec.nodes is not None and spec.nodes > 1:
        raise Invalid.field("nodes", "is 1 on Kubernetes; send array for many pods", spec.nodes)
    if spec.modules:
        raise Invalid.field("modules", "mean nothing in a container; send an image that has what is needed", None)
    if spec.array is not None:
        indices(spec.array)
    _check_time(spec, config)


def pool_of(spec: TaskSpec, config: KubernetesBase) -> Pool | None:
    name = spec.partition or config.default_partition
    if name is None:
        # The only one there is.
        return next(iter(config.pools.values())) if len(config.pools) == 1 else None
    return config.pools.get(name)


def partitions(config: KubernetesBase) -> tuple[str, ...]:
    """Those that may be used."""
    return config.partitions or tuple(config.pools)


def image_of(spec: TaskSpec, config: KubernetesBase) -> str | None:
    """The full name of the image; one without a registry is of the configured one."""
    image = spec.image or config.default_image
    if image is None or config.images is None or spec.image is None:
        return image
    first, slash, _ = image.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return image if has_registry else f"{config.images.rstrip('/')}/{image}"


def time_limit_of(spec: TaskSpec, config: KubernetesBase) -> int | None:
    """In seconds; None for none."""
    return spec.time_limit_s or config.default_time_limit_s


def _check_partition(spec: TaskSpec, config: KubernetesBase) -> None:
    known = partitions(config)
    if spec.partition is not None and spec.partition not in known:
        raise Invalid.field("partition", f"is none of {', '.join(known)}", spec.partition)


def _check_image(spec: TaskSpec, config: KubernetesBase) -> None:
    image = image_of(spec, config)
    if image is None:
        raise Invalid.field("image", "is needed on Kubernetes, e.g. python:3.11-slim", None)
    if not _IMAGE.fullmatch(image):
        raise Invalid.field("image", "is no name of a container's image, e.g. python:3.11-slim", spec.image)
    allowed = config.allowed_images
    asked = spec.image
    if asked and allowed and not any(fnmatchcase(asked, one) or fnmatchcase(image, one) for one in allowed):
        raise Invalid.field("image", f"is none of {', '.join(allowed)}", asked)


def _check_time(spec: TaskSpec, config: KubernetesBase) -> None:
    pool = pool_of(spec, config)
    most = [limit for limit in (config.max_time_limit_s, pool.max_time_s if pool else None) if limit is not None]
    if spec.time_limit_s is not None and most and spec.time_limit_s > min(most):
        raise Invalid.field("time_limit", f"is at most {min(most)} here", spec.time_limit_s)
