"""A checkout of its own, for tests that change what a checkout holds."""

import os
import shutil
import sys
from pathlib import Path

from tests.support.servers import CHECKOUT


def copy_checkout(folder: Path) -> Path:
    """Put what serving, and `atoll doctor`, need into `folder`, with the environment of these tests as its `.venv`."""
    for part in ("common", "models"):
        shutil.copytree(CHECKOUT / part, folder / part)
    for file in ("host.json", ".funcignore", "function_app.py", "requirements.txt"):
        shutil.copy2(CHECKOUT / file, folder / file)
    (folder / "tests" / "models").mkdir(parents=True)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def checkout_environment(folder: Path) -> dict[str, str]:
    """Variables that let commands and their children find this checkout before the one that is installed."""
    return {"PYTHONPATH": str(folder), "PATH": f"{folder}/.venv/bin:{os.defpath}"}
