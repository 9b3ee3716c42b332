"""Every setting of Atoll, read from the environment, one class an area.

`docs/settings.md` lists them all; a test compares it with the fields. Nothing else in the project reads the
environment.
"""

from functools import lru_cache

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as SourceError

from common.errors import SettingsError
from common.settings.base import CHECKOUT, Area
from common.settings.callbacks import CallbackSettings
from common.settings.hosting import HostingSettings
from common.settings.http import HttpSettings
from common.settings.jobs import JobSettings, Schedule
from common.settings.limits import LimitSettings
from common.settings.models import ModelSettings
from common.settings.oidc import OidcSettings
from common.settings.plugins import PluginSettings
from common.settings.redis import RedisSettings
from common.settings.registry import RegistrySettings
from common.settings.secrets import is_secret, secret_values
from common.settings.security import SecuritySettings
from common.settings.serving import ServingSettings
from common.settings.storage import DatabaseSettings, StorageSettings
from common.settings.submission import SubmissionSettings
from common.settings.telemetry import TelemetrySettings
from common.settings.tls import TlsSettings

__all__ = [
    "AREAS",
    "CHECKOUT",
    "CallbackSettings",
    "DatabaseSettings",
    "HostingSettings",
    "HttpSettings",
    "JobSettings",
    "LimitSettings",
    "ModelSettings",
    "OidcSettings",
    "PluginSettings",
    "RedisSettings",
    "RegistrySettings",
    "Schedule",
    "SecuritySettings",
    "ServingSettings",
    "Settings",
    "StorageSettings",
    "SubmissionSettings",
    "TelemetrySettings",
    "TlsSettings",
    "get_settings",
    "secret_values",
]


class Settings:
    """All areas. Build one with keyword arguments an area in tests; `get_settings()` reads the environment once."""

    def __init__(
        self,
        *,
        http: HttpSettings | None = None,
        plugins: PluginSettings | None = None,
        storage: StorageSettings | None = None,
        serving: ServingSettings | None = None,
        hosting: HostingSettings | None = None,
        database: DatabaseSettings | None = None,
        jobs: JobSettings | None = None,
        callbacks: CallbackSettings | None = None,
        telemetry: TelemetrySettings | None = None,
        security: SecuritySettings | None = None,
        oidc: OidcSettings | None = None,
        limits: LimitSettings | None = None,
        tls: TlsSettings | None = None,
        redis: RedisSettings | None = None,
        models: ModelSettings | None = None,
        registry: RegistrySettings | None = None,
        submission: SubmissionSettings | None = None,
    ) -> None:
        try:
            self.http = http or HttpSettings()
            self.plugins = plugins or PluginSettings()
            self.storage = storage or StorageSettings()
            self.serving = serving or ServingSettings()
            self.hosting = hosting or HostingSettings()
            self.database = database or DatabaseSettings()
            self.jobs = jobs or JobSettings()
            self.callbacks = callbacks or CallbackSettings()
            self.telemetry = telemetry or TelemetrySettings()
            self.security = security or SecuritySettings()
            self.oidc = oidc or OidcSettings()
            self.limits = limits or LimitSettings()
            self.tls = tls or TlsSettings()
            self.redis = redis or RedisSettings()
            self.models = models or ModelSettings()
            self.registry = registry or RegistrySettings()
            self.submission = submission or SubmissionSettings()
        except SourceError as exc:
            # Something that a variable refers to cannot be used.
            raise SettingsError(str(exc.__cause__ or exc)) from None
        except ValidationError as exc:
            raise SettingsError(f"settings are wrong: {'; '.join(map(_fault, exc.errors()))}") from None

    @property
    def roles(self) -> frozenset[str]:
        return self.plugins.roles

    @property
    def database_url(self) -> str:
        """The database's URL, with its password: not for logs."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.storage.state_dir.absolute() / 'atoll.db'}"

    @property
    def has_database_server(self) -> bool:
        """Whether the database is one that other processes, and other releases, share."""
        return not self.database_url.startswith("sqlite")


AREAS: tuple[type[Area], ...] = (
    HttpSettings,
    TlsSettings,
    PluginSettings,
    StorageSettings,
    ServingSettings,
    HostingSettings,
    ModelSettings,
    DatabaseSettings,
    RegistrySettings,
    JobSettings,
    SubmissionSettings,
    CallbackSettings,
    TelemetrySettings,
    SecuritySettings,
    OidcSettings,
    LimitSettings,
    RedisSettings,
)


def _fault(error: ErrorDetails) -> str:
    """One wrong variable; a secret is not shown, wrong as it may be."""
    name = ".".join(map(str, error["loc"]))
    value = "(hidden)" if is_secret(name) else repr(str(error["input"])[:80])
    return f"{name}={value}: {error['msg'].removeprefix('Value error, ')}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises
    ------
    SettingsError
        A variable has a value that cannot be used; the message names it.
    """
    return Settings()
