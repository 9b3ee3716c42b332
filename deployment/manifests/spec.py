"""The list of services: which there are, what each serves, and how much each gets."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

import yaml  # type: ignore[import-untyped]  # has no types of its own

from deployment.manifests.models import Model

VolumeKind = Literal["file", "blob"]

# Serves what no other service does, and everything that belongs to no model.
DEFAULT = "atoll"
SHARE = "atoll-share"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# Names of jobs are made of the service's, a queue's kind and what KEDA appends; all of them together have 63.
_NAME_CHARS = 30
# What the base calls its own objects.
_TAKEN = frozenset({"atoll-scheduler", "redis-service", "atoll-settings", SHARE})
_CPU = re.compile(r"(\d+)m|(\d+(?:\.\d{1,3})?)")
_MEMORY = re.compile(r"(\d+)(Mi|Gi)")


class SpecError(ValueError):
    """A list of services, or a wish about it, that cannot be followed; the text says what to give instead."""


@dataclass(frozen=True)
class Volume:
    """A volume that all pods of a service may write to, mounted as `FILE_SHARE`.

    Parameters
    ----------
    kind : Azure Files (`file`), or Blob Storage as a file system (`blob`).
    name : of the claim; `atoll-share` is the one that all services have in common.
    """

    kind: VolumeKind = "file"
    name: str = SHARE

    def check(self) -> None:
        if self.kind not in ("file", "blob"):
            raise SpecError(f"a volume is of kind file or blob, not {self.kind!r}")
        if not _NAME.fullmatch(self.name) or len(self.name) > 63:
            raise SpecError(f"{self.name!r} cannot be a volume's name: lower-case letters, digits and hyphens")
        if self.name == SHARE and self.kind != "file":
            raise SpecError(f"{SHARE} is the shared volume, of kind file; give a volume of kind blob a name of its own")


@dataclass(frozen=True)
class Service:
    """One deployment behind one address.

    Parameters
    ----------
    models : the plugins it serves (`SERVICE_MODEL`); none serves all, which only the default service does.
    volume : None keeps the service from the share: what it needs lies in its image.
    cpu_request, cpu_limit, memory_request, memory_limit : quantities of Kubernetes: `250m`, `1`, `512Mi`, `2Gi`.
    """

    name: str
    models: tuple[str, ...] = ()
    volume: Volume | None = Volume()
    cpu_request: str = "250m"
    cpu_limit: str = "1"
    memory_request: str = "256Mi"
    memory_limit: str = "768Mi"

    def check(self, known: Mapping[str, Model]) -> None:
        """Raises `SpecError` where it cannot be made."""
        if not _NAME.fullmatch(self.name) or len(self.name) > _NAME_CHARS:
            raise SpecError(
                f"{self.name[:80]!r} cannot be a service's name: lower-case letters, digits and hyphens, a letter "
                f"first, {_NAME_CHARS} characters at most"
            )
        if self.name in _TAKEN:
            raise SpecError(f"{self.name} is the name of something else there; choose another")
        if not self.models and self.name != DEFAULT:
            raise SpecError(f"{self.name} serves no model; name one of {', '.join(sorted(known))}")
        if self.models and self.name == DEFAULT:
            raise SpecError(f"{DEFAULT} is the service that serves all models; choose another name")
        unknown = sorted(set(self.models) - set(known))
        if unknown:
            raise SpecError(f"there is no model {unknown[0]!r}; there are {', '.join(sorted(known))}")
        if self.volume:
            self.volume.check()
        if cpu_of(self.cpu_request) > cpu_of(self.cpu_limit):
            raise SpecError(f"the CPU requested ({self.cpu_request}) is over its limit ({self.cpu_limit})")
        if memory_of(self.memory_request) > memory_of(self.memory_limit):
            raise SpecError(f"the memory requested ({self.memory_request}) is over its limit ({self.memory_limit})")


def cpu_of(text: str) -> float:
    """CPUs of a quantity: `250m`, `1`, `1.5`."""
    found = _CPU.fullmatch(text)
    cpus = 0.0 if found is None else int(found[1]) / 1000 if found[1] else float(found[2])
    if cpus <= 0:
        raise SpecError(f"{text[:40]!r} is no amount of CPU; give e.g. 250m or 1")
    return cpus


def memory_of(text: str) -> int:
    """MiB of a quantity: `512Mi`, `2Gi`."""
    found = _MEMORY.fullmatch(text)
    mebibytes = 0 if found is None else int(found[1]) * (1024 if found[2] == "Gi" else 1)
    if mebibytes < 64:
        raise SpecError(f"{text[:40]!r} is no amount of memory of 64Mi or more; give e.g. 512Mi or 2Gi")
    return mebibytes


def check_all(services: Sequence[Service], known: Mapping[str, Model]) -> None:
    """Raises `SpecError` where services cannot stand side by side."""
    for service in services:
        service.check(known)
    taken: dict[str, str] = {}
    for service in services:
        for key in (service.name, *(f"model {model}" for model in service.models)):
            if key in taken:
                what = f"a service {key}" if key == service.name else f"{taken[key]}, which serves {key}"
                raise SpecError(f"there already is {what}; remove it first, or choose another")
            taken[key] = service.name
    kinds: dict[str, str] = {}
    for volume in (service.volume for service in services if service.volume):
        if kinds.setdefault(volume.name, volume.kind) != volume.kind:
            raise SpecError(f"there already is a volume {volume.name} of kind {kinds[volume.name]}; take another name")


def with_service(services: Iterable[Service], new: Service) -> list[Service]:
    """The list with one more.

    Raises
    ------
    SpecError
        There is one of this name that is another one. The same again changes nothing.
    """
    found = list(services)
    same = next((one for one in found if one.name == new.name), None)
    if same is not None and same != new:
        differing = [field.name for field in fields(new) if getattr(same, field.name) != getattr(new, field.name)]
        raise SpecError(
            f"there already is a service {new.name}, with another {', '.join(differing)}; give --replace to change it, "
            "or choose another name"
        )
    return found if same is not None else [*found, new]


def without_service(services: Iterable[Service], name: str) -> list[Service]:
    """The list with one less.

    Raises
    ------
    SpecError
        It is the default one, or not there.
    """
    found = list(services)
    if name == DEFAULT:
        raise SpecError(f"{DEFAULT} serves what no other service does; it cannot be removed")
    if name not in [one.name for one in found]:
        raise SpecError(f"there is no service {name!r}; there are {', '.join(one.name for one in found)}")
    return [one for one in found if one.name != name]


def read_services(path: Path) -> list[Service]:
    """The services in a file.

    Raises
    ------
    SpecError
        It cannot be read, or says something that nobody understands.
    """
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise SpecError(f"{path} cannot be read: {exc}") from None
    entries = told.get("services") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise SpecError(f"{path} has no list `services`")
    return [_read(entry, path) for entry in entries]


def write_services(services: Sequence[Service]) -> str:
    """The text that `read_services` reads."""
    told = []
    for service in services:
        entry = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(service).items()}
        told.append({key: value for key, value in entry.items() if value != []})
    return cast(str, yaml.safe_dump({"services": told}, sort_keys=False))


def _read(entry: Any, path: Path) -> Service:
    names = {field.name for field in fields(Service)}
    if not isinstance(entry, dict) or not set(entry) <= names or not isinstance(entry.get("name"), str):
        raise SpecError(f"{path}: {str(entry)[:80]!r} is no service; it has name and {', '.join(sorted(names))}")
    volume = entry.get("volume", asdict(Volume()))
    models = entry.get("models", [])
    texts = [*models, *(str(value) for key, value in entry.items() if key not in ("models", "volume"))]
    if not isinstance(models, list) or not all(isinstance(text, str) for text in texts):
        raise SpecError(f"{path}: models of {entry['name']} are no list of names")
    if volume is not None and (not isinstance(volume, dict) or set(volume) - {"kind", "name"}):
        raise SpecError(f"{path}: the volume of {entry['name']} has a kind and a name")
    rest: dict[str, Any] = {key: str(value) for key, value in entry.items() if key not in ("models", "volume")}
    made = Service(**rest, models=tuple(models))
    return replace(made, volume=None if volume is None else Volume(**volume))
