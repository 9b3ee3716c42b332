"""The clusters, as `clusters.toml` and the environment name them. All faults are told at once, each with its place.

Any field can be set by `ATOLL_CLUSTER_<NAME>_<FIELD>`; a variable wins over the file. `local` exists without any
configuration, and `kubernetes` and `spark` do where Kubernetes' own variables are set. Nothing is connected to.
"""

import difflib
import os
import re
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from common.errors import SettingsError, shorten
from common.settings import CHECKOUT, Settings
from common.settings.secrets import is_secret
from common.submission.config import ClusterConfig, SecretMissing, SecretRef, read_secret
from common.submission.kinds import KINDS

FILE = "clusters.toml"
LOCAL = "local"
PREFIX = "ATOLL_CLUSTER_"
# What run.sh sets for the program, which may be Atoll.
_NOT_OURS = frozenset({"ATOLL_CLUSTER_JOB_ID"})
_KUBERNETES = {
    "KUBERNETES_ENDPOINT": "endpoint",
    "KUBERNETES_NAMESPACE": "namespace",
    "KUBERNETES_API_KEY_PREFIX": "api_key_prefix",
    "KUBECONFIG": "kubeconfig",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass
class _Section:
    """What is known of one cluster before it is checked; `places` tells where each field comes from."""

    name: str
    values: dict[str, Any]
    places: dict[str, str]

    def place(self, field: str) -> str:
        return self.places.get(field, f"{self.places['']}: [{self.name}] {field}")


def load(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, ClusterConfig]:
    """The clusters of this process, by name.

    Raises
    ------
    SettingsError
        Something in the file or the environment is wrong; all of it is told.
    """
    path = settings.submission.clusters_file or (CHECKOUT / FILE if (CHECKOUT / FILE).exists() else None)
    text = None
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            raise SettingsError(f"CLUSTERS_FILE={str(path)!r} cannot be read: {reason}") from None
    return read(
        text,
        os.environ if environ is None else environ,
        state_dir=settings.storage.state_dir,
        source=FILE if path is None else path.name,
    )


def read(
    text: str | None, environ: Mapping[str, str], *, state_dir: Path, source: str = FILE
) -> dict[str, ClusterConfig]:
    """The clusters that a file's text and the environment name.

    Parameters
    ----------
    text : TOML; None without a file.
    state_dir : `ATOLL_STATE`, where tasks of local clusters lie if they name no folder.

    Raises
    ------
    SettingsError
        As `load`.
    """
    faults: list[str] = []
    sections = dict(_sections(text, source, faults))
    _from_kubernetes(sections, environ)
    sections.setdefault(LOCAL, _Section(LOCAL, {"kind": "local"}, {"": source}))
    _override(sections, environ, faults)
    found = {}
    for section in sections.values():
        config = _check(section, state_dir.absolute(), environ, faults)
        if config is not None and getattr(config, "enabled", True):
            found[section.name] = config
    if faults:
        raise SettingsError("the clusters are not configured right:\n" + "\n".join(f"- {fault}" for fault in faults))
    return found


def _sections(text: str | None, source: str, faults: list[str]) -> Iterator[tuple[str, _Section]]:
    try:
        tables = tomllib.loads(text or "")
    except tomllib.TOMLDecodeError as exc:
        faults.append(f"{source}: is no TOML: {exc}")
        return
    for name, values in tables.items():
        if not isinstance(values, dict):
            faults.append(
                f"{source}: {name} stands outside of a section; a cluster's fields follow a line like [{LOCAL}]"
            )
        elif not _NAME.fullmatch(name):
            faults.append(
                f"{source}: [{shorten(name)!r}] is no name of a cluster; use letters, digits, hyphens and dots"
            )
        else:
            yield name, _Section(name, dict(values), {"": source})


def _from_kubernetes(sections: dict[str, _Section], environ: Mapping[str, str]) -> None:
    """Add the clusters that Kubernetes' own variables make, and give those variables to the sections of these names."""
    values = {field: environ[variable] for variable, field in _KUBERNETES.items() if environ.get(variable)}
    places = {field: variable for variable, field in _KUBERNETES.items()}
    if environ.get("KUBERNETES_API_KEY"):
        values["api_key"], places["api_key"] = "env:KUBERNETES_API_KEY", "KUBERNETES_API_KEY"
    # An endpoint is where to go; a kubeconfig is another way to say so.
    if "endpoint" in values:
        values.pop("kubeconfig", None)
    if "endpoint" not in values:
        values.pop("api_key", None)
    if not {"endpoint", "kubeconfig"} & values.keys():
        return
    for kind in ("kubernetes", "spark"):
        known = sections.get(kind)
        if known is None:
            sections[kind] = _Section(kind, {"kind": kind, **values}, {"": "the environment", **places})
        elif known.values.get("kind") == kind and not {"endpoint", "kubeconfig", "context"} & known.values.keys():
            known.values = values | known.values
            known.places |= places


def _override(sections: dict[str, _Section], environ: Mapping[str, str], faults: list[str]) -> None:
    variables = {key: value for key, value in environ.items() if key.startswith(PREFIX) and key not in _NOT_OURS}
    for variable, value in variables.items():
        if variable.endswith("_KIND") and not _owner(variable, sections):
            name = variable[len(PREFIX) : -len("_KIND")].lower().replace("_", "-")
            if _NAME.fullmatch(name):
                sections[name] = _Section(name, {"kind": value}, {"": "the environment", "kind": variable})
    for variable, value in sorted(variables.items()):
        owner = _owner(variable, sections)
        if owner is None:
            faults.append(
                f"{variable}: there is no such cluster; those configured are {', '.join(sorted(sections))}, "
                f"and {PREFIX}<NAME>_KIND adds one"
            )
            continue
        field = variable[len(_prefix(owner.name)) :].lower()
        kind = KINDS.get(str(owner.values.get("kind")))
        owner.places[field] = variable
        owner.values[field] = _parse(value, kind.config_class().model_fields.get(field) if kind else None)


def _owner(variable: str, sections: Mapping[str, _Section]) -> _Section | None:
    """Whose variable it is: of those that fit, the cluster with the longest name."""
    fitting = [section for name, section in sections.items() if variable.startswith(_prefix(name))]
    return max(fitting, key=lambda section: len(section.name), default=None)


def _prefix(name: str) -> str:
    return f"{PREFIX}{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}_"


def _parse(value: str, field: FieldInfo | None) -> object:
    """A variable's value: lists as `a,b` or as TOML, tables as TOML; the rest is text that the field reads itself."""
    if field is None:
        return value
    kinds = set(_origins(field.annotation))
    if {tuple, list, dict} & kinds and value.lstrip().startswith(("[", "{")):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value
    if {tuple, list} & kinds:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _origins(annotation: Any) -> Iterator[object]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _origins(part)
    else:
        yield origin or annotation


def _check(section: _Section, state_dir: Path, environ: Mapping[str, str], faults: list[str]) -> ClusterConfig | None:
    kind = KINDS.get(str(section.values.get("kind")))
    if kind is None:
        known = ", ".join(KINDS)
        said = section.values.get("kind")
        wrong = "is missing" if said is None else f"{shorten(said)!r} is no kind of cluster"
        faults.append(f"{section.place('kind')}: {wrong}; write one of {known}")
        return None
    config_class = kind.config_class()
    values = {**section.values, "name": section.name}
    if "name" in section.values:
        faults.append(f"{section.place('name')}: leave it out; the name is that of the section")
    if section.values["kind"] == "local":
        values.setdefault("folder", str(state_dir / "tasks" / section.name))
        values.setdefault("hidden", (str(state_dir),))
    try:
        config = config_class.model_validate(values)
    except ValidationError as exc:
        faults += [_fault(section, config_class, error) for error in exc.errors()]
        return None
    for field in secret_fields(config_class):
        reference = getattr(config, field)
        # A file may come later, or be renewed; the environment of a process stays as it is.
        if reference is not None and reference.startswith("env:"):
            variable = reference.removeprefix("env:")
            if not environ.get(variable):
                faults.append(f"{section.place(field)}: refers to the variable {variable}, which is not set")
    return config


def _fault(section: _Section, config_class: type[ClusterConfig], error: ErrorDetails) -> str:
    fields = [field for field in config_class.model_fields if field not in ("name", "kind")]
    path = [str(part) for part in error["loc"]]
    if not path:
        return f"{section.places['']}: [{section.name}]: {_message(error)}"
    place = ".".join([section.place(path[0]), *path[1:]])
    if error["type"] == "extra_forbidden" and len(path) == 1:
        near = difflib.get_close_matches(path[0], fields, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{place}: there is no such field{meant} A {section.values['kind']} cluster has: {', '.join(fields)}"
    if error["type"] == "missing":
        return f"{place}: is missing; write {path[-1]} = …"
    # A secret that was written out is not shown.
    if any(map(is_secret, path)) or path[0] in secret_fields(config_class) or "by reference only" in error["msg"]:
        return f"{place}: {_message(error)}"
    return f"{place} = {shorten(error['input'])!r}: {_message(error)}"


def _message(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"does not have the form that it needs, {error['ctx']['pattern']}"
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "should be", 1)


def secret_fields(config_class: type[ClusterConfig]) -> tuple[str, ...]:
    """The fields of a kind of cluster that are secrets, given by reference."""
    [mark] = SecretRef.__metadata__  # type: ignore[attr-defined]

    def holds(annotation: Any, metadata: Any) -> bool:
        parts = get_args(annotation)
        return mark in metadata or any(holds(part, getattr(part, "__metadata__", ())) for part in parts)

    return tuple(name for name, field in config_class.model_fields.items() if holds(field.annotation, field.metadata))


def missing_secrets(config: ClusterConfig) -> list[str]:
    """What `atoll clusters check` tells of secrets that cannot be read now."""
    found = []
    for field in secret_fields(type(config)):
        reference = getattr(config, field)
        if reference is not None:
            try:
                read_secret(reference)
            except SecretMissing as exc:
                found.append(f"{field}: {exc}")
    return found
