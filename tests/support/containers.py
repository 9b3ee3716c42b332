"""Images of `deployment/Dockerfile` that were built before, run by podman or docker.

Building takes minutes, so tests do not: `make images` does, and then runs them. They use what `ATOLL_IMAGE` and
`ATOLL_FUNCTIONS_IMAGE` name. Where these are not set they skip and say so: an image that happens to lie here may be of
other code.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

# Where the official image's name stands for Debian's Python, this file lets podman run without systemd.
_LAB = Path(__file__).resolve().parents[3] / "shared/lab/containers/containers.conf"


@dataclass(frozen=True)
class Image:
    """One target of the Dockerfile.

    Attributes
    ----------
    variable : of the environment, which names the image.
    check : the command of its health check.
    """

    target: str
    variable: str
    check: tuple[str, ...]

    @property
    def name(self) -> str:
        return os.environ.get(self.variable) or pytest.skip(
            f"{self.variable} names no image: make images builds both and runs this"
        )


SLIM = Image("slim", "ATOLL_IMAGE", ("python", "/app/healthcheck.py"))
FUNCTIONS = Image("functions", "ATOLL_FUNCTIONS_IMAGE", ("python3", "/home/site/wwwroot/healthcheck.py", "8080"))


@lru_cache
def engine(image: Image = SLIM) -> str:
    """The program that runs containers: docker or podman, whichever has the image."""
    name = image.name
    programs = [found for name in ("docker", "podman") if (found := shutil.which(name))]
    if not programs:
        pytest.fail("neither docker nor podman is installed")
    for program in programs:
        if _run(program, "image", "inspect", name).returncode == 0:
            return program
    pytest.fail(f"there is no image {name}: make images builds it")


def environment() -> dict[str, str]:
    """What the program needs where the lab's stand-ins are run."""
    lab = {"CONTAINERS_CONF": str(_LAB)} if _LAB.exists() else {}
    return lab | dict(os.environ)


def command(*arguments: str, image: Image = SLIM, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the program that has the image with these arguments."""
    done = _run(engine(image), *arguments)
    assert not check or done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
    return done


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=120, check=False)


class Container:
    """A container of an image, as Kubernetes would run it: nothing writable but /tmp and /state, no capabilities."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        network: str = "none",
        volumes: Sequence[str] = (),
        image: Image = SLIM,
    ) -> None:
        self.image = image
        self.name = f"atoll-test-{uuid.uuid4().hex[:12]}"
        options = ["--name", self.name, "--network", network, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]  # noqa: S108
        options += [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        options += [part for volume in ("/state", *volumes) for part in ("--volume", volume)]
        try:
            self._command("run", "--detach", *options, image.name, *arguments)
        except BaseException:
            # What was made and could not be started is there all the same.
            self.remove()
            raise

    def _command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return command(*arguments, image=self.image, check=check)

    @property
    def log(self) -> str:
        done = self._command("logs", self.name)
        return done.stdout + done.stderr

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python within."""
        return self._command("exec", self.name, "python3", "-c", code, *arguments, check=False)

    def healthy(self) -> bool:
        return self._command("exec", self.name, *self.image.check, check=False).returncode == 0

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        self._command("stop", "--time", "60", self.name)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return int(self._command("wait", self.name).stdout.strip())

    def remove(self) -> None:
        # One that does not hear SIGTERM would be waited for.
        self._command("kill", self.name, check=False)
        self._command("rm", "--force", "--volumes", self.name, check=False)
