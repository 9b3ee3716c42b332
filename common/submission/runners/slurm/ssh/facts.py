"""What a cluster tells of itself: its partitions, its queue, its images. Pure."""

from dataclasses import dataclass

from common.submission.records import ClusterInfo
from common.submission.runners.slurm.containers import image_names
from common.submission.runners.slurm.parse import of_four, partitions
from common.submission.runners.slurm.ssh.remote import MARK

_SHOWN = 10


@dataclass(frozen=True)
class Facts:
    """What was told at one moment. `images` is None where no folder of images was asked about."""

    info: ClusterInfo
    images: tuple[str, ...] | None


def read_facts(text: str, engine: str, *, has_images: bool) -> Facts:
    """What `remote.INFO` printed."""
    parts = [part.strip("\n") for part in text.split(MARK)]
    version, listed, cpus, broken, queue, images = [*parts, *[""] * 6][:6]
    there = partitions(listed)
    idle, total = of_four(cpus.strip())
    counts = {words[1]: int(words[0]) for line in queue.splitlines() if len(words := line.split()) == 2}
    away = [" ".join(line.split()) for line in broken.splitlines() if line.strip()]
    closed = [partition.name for partition in there if partition.state != "up"]
    detail = [f"nodes {', '.join(away[:_SHOWN])}"] if away else []
    detail += [f"partitions not up: {', '.join(closed[:_SHOWN])}"] if closed else []
    info = ClusterInfo(
        state="degraded" if away or closed or not there else "up",
        detail="; ".join(detail),
        version=version.strip(),
        partitions=there,
        pending=counts.get("PENDING", 0),
        running=counts.get("RUNNING", 0),
        load=1 - idle / total if total and idle is not None else None,
    )
    return Facts(info, image_names(images.splitlines(), engine) if has_images else None)
