"""Atoll with the model in it, as an image has it: a copy of the code with `models/sentiment/baked`."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import NotMeasured
from benchmarks.server import REPOSITORY, Server
from models.sentiment.classifier import FILES

_LIMIT_S = 300.0
# Of the code, what is needed to serve.
_CODE = ("common", "models")


@dataclass(frozen=True)
class Image:
    """Where things are.

    Attributes
    ----------
    checkout : the copy of the code.
    state : ATOLL_STATE of servers with the model baked in; holds the copy of the weights that processes map.
    registered : ATOLL_STATE of servers that have it from the registry.
    """

    checkout: Path
    state: Path
    registered: Path

    @property
    def baked(self) -> dict[str, Path]:
        """The files that are served."""
        folder = self.checkout / "models" / "sentiment" / "baked"
        return {name: folder / name for name in FILES}

    @property
    def weights(self) -> Path:
        """Folder of the copies that are mapped."""
        return self.state / "cache" / "models" / "sentiment"

    def server(
        self, *, workers: int = 1, redis: str | None = None, registered: bool = False, **settings: str
    ) -> Server:
        """As an API pod of one model runs; nothing else is set but where things are."""
        state = self.registered if registered else self.state
        given = {"SERVICE_MODEL": "sentiment", "ATOLL_ROLES": "http", "LOGGING_LEVEL": "WARNING", **settings}
        if redis is not None:
            given["REDIS_URL"] = redis
        checkout = REPOSITORY if registered else self.checkout
        return Server(state, state, workers=workers, settings=given, checkout=checkout)


def build(checkpoint: Path, scratch: Path) -> tuple[Image, dict[str, Any]]:
    """Pull the checkpoint into a copy of the code, and into a registry; what the first pull told."""
    image = Image(scratch / "image", scratch / "state", scratch / "registered")
    for name in _CODE:
        shutil.copytree(REPOSITORY / name, image.checkout / name, ignore=shutil.ignore_patterns("__pycache__", "baked"))
    for folder in (image.state, image.registered):
        folder.mkdir()
    into = image.checkout / "models" / "sentiment" / "baked"
    told = _pull(checkpoint, image.state, "--into", str(into))
    _pull(checkpoint, image.registered)
    return image, told


def _pull(checkpoint: Path, state: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "common.cli", "models", "pull", "sentiment", "--from", str(checkpoint), *more]
    environment = {"PATH": os.environ["PATH"], "HOME": str(state), "ATOLL_STATE": str(state)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode:
        raise NotMeasured(f"the model was not pulled: {done.stderr[-1000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told
