"""What every cluster's section of `clusters.toml` holds; each kind of runner adds its own fields.

::

    [atena02]
    kind = "slurm-ssh"
    host = "login.example.org"
    folder = "/scratch/atoll"

Secrets are given by reference only: `env:NAME` or `file:/run/secrets/name`.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from common.submission.spec import Word


def _is_reference(value: str) -> str:
    if not value.startswith(("env:", "file:")) or value.endswith(":"):
        raise ValueError("is a secret, which is given by reference only: env:NAME or file:/path")
    return value


SecretRef = Annotated[str, AfterValidator(_is_reference)]


class SecretMissing(Exception):
    """What a reference names is not there."""


def read_secret(reference: str) -> str:
    """What a reference of `clusters.toml` leads to, read anew at every call: tokens are renewed.

    Raises
    ------
    SecretMissing
        The variable is not set, or the file cannot be read.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name, "")
        if not value:
            raise SecretMissing(f"the variable {name} is not set")
        return value
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise SecretMissing(f"the file {name} cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise SecretMissing(f"the file {name} holds no text") from None


def read_token(reference: str) -> str:
    """As `read_secret`, of what travels in a header: libraries quote it in their errors if it does not fit in there.

    Raises
    ------
    SecretMissing
        Also for what is no one line of printable ASCII.
    """
    token = read_secret(reference)
    if not token.isascii() or not token.isprintable():
        raise SecretMissing(f"{reference} leads to more than one line of plain letters, which is no token")
    return token


class ClusterConfig(BaseModel):
    """One cluster.

    Parameters
    ----------
    folder : where the folders of tasks lie, on the cluster.
    share : where the cluster mounts Atoll's file share; data sets are then not copied, and outputs not fetched.
    containers : how images are run; with `images`, a folder, an image's name means `<images>/<name>.sif` and so on.
    partitions : those that may be used; by default all that the cluster tells.
    accounts : those that may be asked for; empty for any.
    aliases : by `partition`, `account` and `image`, names that clients send, and what they mean here; empty for
        nothing.
    network : whether programs in containers of podman and bubblewrap reach it.
    hidden : folders that programs within bubblewrap do not see.
    python : what runs `.py` entry points.
    timeout_s : for each call to the cluster.
    forget_after_s : a task that the cluster does not know for so long is lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    kind: str
    title: str = ""
    folder: str | None = None
    share: str | None = None
    containers: Literal["none", "singularity", "apptainer", "charliecloud", "podman", "bubblewrap", "native"] = "none"
    images: str | None = None
    allowed_images: tuple[str, ...] = ()
    partitions: tuple[Word, ...] = ()
    default_partition: Word | None = None
    accounts: tuple[Word, ...] = ()
    default_account: Word | None = None
    aliases: dict[Literal["partition", "account", "image"], dict[str, Word | Literal[""]]] = Field(default_factory=dict)
    network: bool = True
    hidden: tuple[str, ...] = ()
    python: str = "python3"
    setup: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    timeout_s: float = Field(20.0, gt=0, le=600)
    forget_after_s: float = Field(300.0, ge=1)
    default_time_limit_s: int | None = Field(None, ge=1)
    max_time_limit_s: int | None = Field(None, ge=1)
