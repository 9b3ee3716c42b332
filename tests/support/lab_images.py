"""Images of the lab for podman: Debian's Python under any name. The first takes a minute, others a second."""

import functools
import os
import shutil
import subprocess

import pytest

from tests.support.backends import missing
from tests.support.servers import CHECKOUT

CONTAINERS = CHECKOUT.parent / "shared" / "lab" / "containers"
# podman of this Debian does not find its way without it.
CONFIGURATION = {"CONTAINERS_CONF": str(CONTAINERS / "containers.conf")}


@functools.cache
def make(image: str) -> None:
    """Have podman know this image; skips where it cannot be made."""
    if not CONTAINERS.is_dir():
        pytest.skip("the lab's images are not in ../shared/lab/containers")
    if os.getuid() != 0:
        pytest.skip("the lab's images need root")
    if shutil.which("podman") is None or shutil.which("debootstrap") is None:
        missing("podman or debootstrap is not installed")
    done = subprocess.run([CONTAINERS / "base_image.sh", image], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
