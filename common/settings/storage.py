"""Settings of data and state."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from common.settings.base import CHECKOUT, Area


class StorageSettings(Area):
    """Where data and state lie."""

    state_dir: Path = Field(
        CHECKOUT / ".atoll",
        validation_alias="ATOLL_STATE",
        description="Folder of this machine for caches and, by default, the share.",
    )
    file_share: str | None = Field(
        None,
        validation_alias="FILE_SHARE",
        description="The file share (data sets, artefacts): a folder, an Azure Files address "
        "(`https://<account>.file.core.windows.net/<share>`) or an fsspec URL; by default `share` in `ATOLL_STATE`.",
    )
    file_share_credential: SecretStr | None = Field(
        None,
        validation_alias="FILE_SHARE_CREDENTIAL",
        description="For Azure Files by its address: account key, SAS token or connection string; without it the SAS "
        "token in the address, else the identity of the machine.",
    )
    max_dataset_bytes: int = Field(
        1_000_000_000,
        ge=1024,
        validation_alias="MAX_DATASET_BYTES",
        description="Largest file of a data set that may be uploaded, in bytes; a larger one is answered 413.",
    )
    dataset_path: Path | None = Field(
        None,
        validation_alias="DATASET_PATH",
        description="Folder with the indicator data set; by default `datasets/` in the checkout, then `datasets` on "
        "the share, then a generated sample.",
    )

    @field_validator("file_share", mode="before")
    @classmethod
    def _read_share(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @property
    def share_url(self) -> str | None:
        """The file share if it is reached by a URL; it may hold a credential, so `Share.label` is what to show."""
        return self.file_share if self.file_share and "://" in self.file_share else None

    @property
    def share_dir(self) -> Path:
        """The folder of the file share; for a share reached by a URL a folder of this machine that nobody fills."""
        return Path(self.file_share) if self.file_share and not self.share_url else self.state_dir / "share"

    @property
    def cache_dir(self) -> Path:
        return self.state_dir / "cache"


class DatabaseSettings(Area):
    """Where state is kept."""

    url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="`postgresql://user:password@host/name` or `sqlite:///file`; by default a file in `ATOLL_STATE`.",
    )
    pool_size: int = Field(
        8,
        ge=1,
        le=256,
        validation_alias="DATABASE_POOL",
        description="Connections to PostgreSQL that a process keeps; it opens at most twice as many.",
    )
