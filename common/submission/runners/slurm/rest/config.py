"""What a cluster that is reached by slurmrestd is told in `clusters.toml`.

::

    [atena02-rest]
    kind = "slurm-rest"
    url = "https://slurm.example.org:6820"
    user = "atoll"
    token = "file:/run/secrets/slurm-jwt"
    folder = "/mnt/scratch/atoll"
    cluster_folder = "/scratch/atoll"
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from common.submission.config import SecretRef
from common.submission.runners.slurm.config import PlainPath, SlurmConfig
from common.submission.runners.slurm.rest.properties import OPTIONS

UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]{0,63}$")]
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SlurmRestConfig(SlurmConfig):
    """A Slurm cluster behind slurmrestd.

    Parameters
    ----------
    url : where slurmrestd answers, without `/slurm/...`.
    user : whose token it is, and who the jobs belong to.
    token : the JWT (`scontrol token`). It is read anew whenever it is refused, so that it can be renewed in place.
    users : who the jobs of which owner belong to; an owner that is not named has `user`. Needs a token that may act
        for others (of root or SlurmUser, or behind an authenticating proxy).
    api_version : e.g. `v0.0.38`; by default the newest that both sides know.
    folder : where the folders of tasks lie, as this machine sees it: a file system that the cluster mounts too.
    cluster_folder : the same, as the cluster's nodes see it; by default `folder`.
    access : how a task's folder becomes its user's: `owner` (it is given to the user: Atoll runs as root, or as that
        user), `group` (it is given to `group`, which both belong to), `inherit` (by the folder's default ACL).
    accounting : whether slurmdbd can be asked, for what the controller has forgotten and for what jobs have used.
    path : `PATH` of the jobs: slurmrestd gives them no environment of a login.
    ca_file : the authorities to trust, beside those of the machine.
    plain_http : send the token without TLS to another machine.
    """

    kind: Literal["slurm-rest"] = "slurm-rest"
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@\s]+$", max_length=500)]
    user: UserName
    token: SecretRef
    users: dict[str, UserName] = Field(default_factory=dict)
    api_version: Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+$")] | None = None
    cluster_folder: PlainPath | None = None
    access: Literal["owner", "group", "inherit"] = "owner"
    group: UserName | None = None
    accounting: bool = True
    path: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:+-]{1,2000}$")] = "/usr/local/bin:/usr/bin:/bin"
    ca_file: str | None = None
    plain_http: bool = False

    @field_validator("url", mode="before")
    @classmethod
    def _no_slash_behind(cls, url: object) -> object:
        return url.rstrip("/") if isinstance(url, str) else url

    @field_validator("cluster_folder")
    @classmethod
    def _stays_there(cls, path: str | None) -> str | None:
        if path is not None and ".." in path.split("/"):
            raise ValueError("holds `..`; give the folder itself")
        return None if path is None else path.rstrip("/")

    @field_validator("options")
    @classmethod
    def _are_known_to_rest(cls, options: dict[str, str]) -> dict[str, str]:
        unknown = sorted(options.keys() - OPTIONS.keys())
        if unknown:
            raise ValueError(f"sets {', '.join(unknown)}; by REST there are {', '.join(sorted(OPTIONS))}")
        return options

    @model_validator(mode="after")
    def _is_complete(self) -> "SlurmRestConfig":
        host = urlsplit(self.url).hostname or ""
        if self.url.startswith("http://") and host not in _LOOPBACK and not self.plain_http:
            raise ValueError("url would send the token unencrypted; use https, or set plain_http = true")
        if (self.access == "group") != (self.group is not None):
            raise ValueError('access = "group" and group = "…" go together; set both or neither')
        return self

    def user_of(self, owner: str) -> str:
        """Who the jobs of an owner belong to on the cluster."""
        return self.users.get(owner, self.user)

    def seen_by_cluster(self, name: str) -> str:
        """The folder of the submission with this name, as the cluster's nodes see it."""
        return f"{self.cluster_folder or self.folder}/{name}"
