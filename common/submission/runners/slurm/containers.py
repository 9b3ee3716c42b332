"""The images that a cluster has, as its containers' engine keeps them. Pure."""

import re
from collections.abc import Iterable

from common.errors import Invalid
from common.submission.config import ClusterConfig

# Charliecloud keeps folders and squash files; the other two, single files.
_SUFFIXES = {
    "singularity": (".sif", ".simg", ".img"),
    "apptainer": (".sif", ".img"),
    "charliecloud": (".sqfs", ".squashfs", ""),
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:+-]*")
_SHOWN = 20


def image_names(listing: Iterable[str], engine: str) -> tuple[str, ...]:
    """What tasks may ask for, of the names in the folder of images (`ls -p`: folders end with a slash)."""
    found = set()
    for entry in listing:
        name = entry.strip()
        if name.endswith("/"):
            name = name.rstrip("/")
            if engine == "charliecloud" and _NAME.fullmatch(name):
                found.add(name)
            continue
        suffix = next((end for end in _SUFFIXES.get(engine, ()) if end and name.endswith(end)), None)
        if suffix and _NAME.fullmatch(name.removesuffix(suffix)):
            found.add(name.removesuffix(suffix))
    return tuple(sorted(found))


def check_image(image: str | None, config: ClusterConfig, there: Iterable[str] | None) -> None:
    """Refuse an image that the cluster could not run.

    Parameters
    ----------
    there : the images that are there (`image_names`); None where the cluster has not told.

    Raises
    ------
    Invalid
        Names the images that are there.
    """
    if image is None:
        return
    if config.containers == "none":
        raise Invalid.field("image", f"{config.name} runs no containers; leave it out", image)
    if config.allowed_images:
        if image not in config.allowed_images:
            raise Invalid.field("image", f"{config.name} allows {_several(config.allowed_images)}", image)
        return
    if config.images is None:
        if "://" not in image:
            raise Invalid.field(
                "image", f"{config.name} has no folder of images; send e.g. docker://python:3.11", image
            )
        return
    if not _NAME.fullmatch(image):
        raise Invalid.field("image", "is no name of an image, which holds no slash; send the name only", image)
    if there is not None:
        names = tuple(there)
        if image not in names and image not in set(_with_suffixes(names, config.containers)):
            raise Invalid.field("image", f"{config.name} has no such image; it has {_several(names)}", image)


def _with_suffixes(names: Iterable[str], engine: str) -> Iterable[str]:
    return (name + suffix for name in names for suffix in _SUFFIXES.get(engine, ()))


def _several(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (", ".join(shown[:_SHOWN]) or "none") + more
