"""Settings that have no effect, and variables that look like settings but are none. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from common.doctor.finding import Finding
from common.security.anonymous import is_loopback
from common.settings import AREAS, Settings
from common.settings.secrets import FILE_SUFFIX
from common.settings.view import describe

# Nobody else's variables begin so; `JOB_` and `SSL_` are others' too.
_OURS = ("ATOLL_", "OIDC_")
# Of the client, of clusters, and of what runs on clusters: no settings, but known.
_KNOWN = frozenset({"ATOLL_URL", "ATOLL_KEY"})
_KNOWN_STARTS = (
    "ATOLL_CLUSTER_",
    "ATOLL_TASK_",
    "ATOLL_ARRAY",
    "ATOLL_INPUT_DIR",
    "ATOLL_OUTPUT_DIR",
    "ATOLL_PARAMS",
    "ATOLL_DATASET",
)
_DANGEROUS = ("admin", "submit")


def check_variables(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that do nothing here, and names that no setting has."""
    described = describe(settings, environment)
    given = 0
    found = []
    for area in described.areas:
        for item in area.settings:
            given += item.source in ("environment", "file")
            if item.no_effect:
                found.append(
                    Finding("settings", "warning", f"{item.name} has no effect", item.no_effect, f"remove {item.name}")
                )
    for name, meant in described.unknown.items():
        found.append(_unknown(name, meant))
    found += [_unknown(name, None) for name in strangers(environment) if name not in described.unknown]
    yield from found
    if not found:
        told = "1 setting is given, and has" if given == 1 else f"{given} settings are given, and all have"
        yield Finding("settings", "ok", f"{told} an effect" if given else "no setting is given; the defaults hold")


def strangers(environment: Iterable[str]) -> list[str]:
    """Names that begin as Atoll's settings do, but belong to none."""
    known = {str(field.validation_alias).upper() for area in AREAS for field in area.model_fields.values()}
    known |= {f"{name}{FILE_SUFFIX}" for name in known} | _KNOWN
    names = sorted(name for name in environment if name.upper().startswith(_OURS))
    return [name for name in names if name.upper() not in known and not name.upper().startswith(_KNOWN_STARTS)]


def check_open(settings: Settings) -> Iterator[Finding]:
    """Whether everybody may do what only some should."""
    scopes = settings.security.anonymous_scopes or frozenset()
    dangerous = [scope for scope in _DANGEROUS if scope in scopes]
    others_reach_it = settings.security.functions_runtime is not None or not is_loopback(settings.http.host)
    if dangerous and others_reach_it:
        yield Finding(
            "settings",
            "warning",
            f"ANONYMOUS_SCOPES gives everybody {', '.join(dangerous)}",
            "where others can reach this, they may run programs and make keys",
            "on Azure set ANONYMOUS_SCOPES to none, or to predict for a public site",
        )


def _unknown(name: str, meant: str | None) -> Finding:
    todo = f"rename it to {meant}" if meant else "see docs/settings.md for the names, or remove it"
    return Finding("settings", "warning", f"{name} is no setting", "its value is read by nobody", todo)
