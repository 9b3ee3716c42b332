"""What a cluster that is reached by SSH is told in `clusters.toml`.

::

    [atena02]
    kind = "slurm-ssh"
    host = "login.example.org"
    user = "atoll"
    key = "file:/run/secrets/atena02"
    known_hosts = "/etc/atoll/known_hosts"
    folder = "/scratch/atoll"

    [atena02.identities."oid:ana"]      # optional: owners with accounts of their own on the cluster
    user = "ana"
    key = "env:ANAS_KEY"
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.submission.config import SecretRef
from common.submission.runners.slurm.config import PlainPath, SlurmConfig

User = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]{0,252}$")]


class IdentityConfig(BaseModel):
    """Who logs in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: User
    key: SecretRef
    passphrase: SecretRef | None = None


class Identity(NamedTuple):
    """Who logs in, as a connection needs it."""

    user: str
    key: str
    passphrase: str | None


class SlurmSshConfig(SlurmConfig):
    """A cluster run by Slurm, by way of its login node.

    Parameters
    ----------
    key : reference to the private key itself: `file:/path` or `env:NAME`.
    passphrase : of the key. A key in OpenSSH's own format needs the package `bcrypt` for that, one in PKCS#8 does not.
    known_hosts : the file with the login node's host key, as OpenSSH writes it; no other key is accepted.
    identities : by owner, whoever has an account of their own on the cluster; all others share `user`.
    only_identities : refuse owners who have none.
    slurm_bin : where Slurm's programs are, if a command by SSH does not find them.
    channels : commands at once; below the login node's `MaxSessions`, which is 10 unless it was changed.
    keepalive_s : a connection that does not answer for three times as long is given up.
    stall_s : a transfer of files that does not move for so long is given up.
    max_output_bytes : what is brought back from a task, at most.
    """

    kind: Literal["slurm-ssh"] = "slurm-ssh"
    host: Host
    port: int = Field(22, ge=1, le=65535)
    user: User
    key: SecretRef
    passphrase: SecretRef | None = None
    known_hosts: str = "~/.ssh/known_hosts"
    identities: dict[str, IdentityConfig] = Field(default_factory=dict)
    only_identities: bool = False
    slurm_bin: PlainPath | None = None
    channels: int = Field(8, ge=1, le=100)
    connect_timeout_s: float = Field(10.0, gt=0, le=120)
    keepalive_s: float = Field(10.0, gt=0, le=600)
    stall_s: float = Field(30.0, gt=0, le=600)
    max_output_bytes: int = Field(20 << 30, ge=1)

    def identity_of(self, owner: str) -> Identity | None:
        """As whom this owner's tasks run; None for nobody."""
        own = self.identities.get(owner)
        if own is not None:
            return Identity(own.user, own.key, own.passphrase)
        return None if self.only_identities else Identity(self.user, self.key, self.passphrase)
