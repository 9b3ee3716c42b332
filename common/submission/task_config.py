"""A task's config as callers send it, old and new, made a `TaskSpec`. Pure.

The fields of the service before this one (`dataset_name`, `model_params`, `runner_location`, `clusters` …) and the new
ones may be mixed. Nothing is passed over: a field that is not known is refused, with those there are.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from common.errors import BadRequest, FieldError, Invalid, shorten
from common.submission.config_faults import CALLED, PRIVATE, refusal, told
from common.submission.entry_points import Program, entry_point
from common.submission.masking import is_secret_name
from common.submission.parse import memory_bytes, time_limit_s
from common.submission.spec import Register, TaskSpec

LOCAL = "local"
DEFAULT_TRACKING_URI = "experiments"
_DEFAULT_EXPERIMENT = "Default"
# Whole numbers beyond 64 bits have at least so many digits.
_LONG_NUMBER = re.compile(rb"\d{19}")

# Field of a config -> field of the spec. Where two stand for one, either may be sent, or both with the same value.
_SAME = {
    "runner_location": "cluster",
    "cluster": "cluster",
    "script_path": "entry_point",
    "script_name": "entry_point",
    "entry_point": "entry_point",
    "model_params": "parameters",
    "parameters": "parameters",
    "dataset_name": "dataset",
    "dataset": "dataset",
    "name": "name",
    "image": "image",
    "partition": "partition",
    "account": "account",
    "time_limit": "time_limit_s",
    "memory": "memory_bytes",
    "cpus": "cpus",
    "gpus": "gpus",
    "nodes": "nodes",
    "array": "array",
    "dependencies": "dependencies",
    "environment": "environment",
    "modules": "modules",
    "command": "command",
    "retries": "retries",
    "requeue": "requeue",
    "as_arguments": "as_arguments",
    "spark": "spark",
    "labels": "labels",
}
_OTHERS = ("model_tracking", "tracking_uri", "experiment_name", "clusters", "inputs")
FIELDS = tuple(sorted([*_SAME, *_OTHERS]))
_INFRA = {"instance_type": "partition", "image_name": "image", "account": "account"}
_OF_INPUT = ("path", "upload", "dataset", "sha256")


@dataclass(frozen=True)
class InputRef:
    """An input that is not in the request itself.

    Parameters
    ----------
    path : below the task's input folder.
    upload : id of an upload in parts.
    dataset : a file of the share's data sets, `<name>/<file>`.
    sha256 : what its digest must be, in lower-case hex; None for any.
    """

    path: str
    upload: str | None = None
    dataset: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Config:
    """A config that was read. `fields` are those of the spec, as they were sent; the entry point may be missing."""

    fields: Mapping[str, Any]
    inputs: tuple[InputRef, ...] = ()
    wanted: str | None = None


@dataclass
class _Reader:
    """Collects what is wrong, so that all of it is told at once."""

    errors: list[FieldError] = field(default_factory=list)

    def wrong(self, name: str, message: str, value: object = None) -> None:
        private = is_secret_name(name) or _SAME.get(name, name) in PRIVATE
        self.errors.append(
            FieldError(field=f"config.{name}", message=message, value=None if private else shorten(value))
        )

    def check(self) -> None:
        if self.errors:
            raise refusal(self.errors)


def read_json(content: bytes) -> dict[str, Any]:
    """A config as it was sent.

    Raises
    ------
    BadRequest
        It is no JSON.
    Invalid
        It is no object, or holds a whole number that would be rounded.
    """
    try:
        found = orjson.loads(content)
        if _LONG_NUMBER.search(content):
            json.loads(content, parse_int=_whole)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"the config is no JSON: {exc.msg} at character {exc.pos}; send one JSON object") from None
    except RecursionError:
        raise BadRequest("the config is nested too deeply; send one JSON object") from None
    if not isinstance(found, dict):
        raise Invalid.field("config", "is no JSON object; send one, such as " + '{"runner_location": "local"}')
    return found


def _whole(digits: str) -> int:
    """The parser makes what does not fit into 64 bits a float without a word."""
    if len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64:
        told = "holds a whole number of more than 64 bits, which would be rounded; send it as a text"
        raise Invalid.field("config", told, digits[:80])
    return int(digits)


def read_config(given: Mapping[str, Any]) -> Config:
    """What a config asks for, without the program.

    Raises
    ------
    Invalid
        `errors` names every field that is wrong.
    """
    reader = _Reader()
    for name in given:
        if name not in FIELDS:
            reader.wrong(name[:100], f"is no field of a task; there are {', '.join(FIELDS)}")
    found: dict[str, Any] = {}
    for name, target in _SAME.items():
        value = given.get(name)
        # Old clients send what they leave open as null or an empty text.
        if value is None or (value == "" and name not in ("command", "array")):
            continue
        if target in found and found[target] != value:
            reader.wrong(name, f"differs from the other field for the same, {CALLED.get(target, target)}", value)
        found[target] = value
    found.setdefault("cluster", LOCAL)
    _take_infra(given, found, reader)
    _take_tracking(given, found, reader)
    _convert(found, reader)
    inputs = _inputs(given.get("inputs"), reader)
    wanted = found.pop("entry_point", None)
    if wanted is not None and not isinstance(wanted, str):
        reader.wrong("script_path", "is the path of the program's file, a text", wanted)
    reader.check()
    return Config(found, inputs, wanted)


def build_spec(
    config: Config, program: Program, inputs: Iterable[str] = (), *, register_as: Register | None = None
) -> TaskSpec:
    """The task of a config and a program.

    Parameters
    ----------
    inputs : paths of the inputs that were sent along.

    Raises
    ------
    Invalid
        `errors` names every field that is wrong.
    """
    entry = entry_point(program, config.wanted, has_command=config.fields.get("command") is not None)
    every = [*inputs, *(item.path for item in config.inputs)]
    twice = sorted({path for path in every if every.count(path) > 1}) if len(every) < 1000 else []
    if twice:
        raise Invalid.field("inputs", f"two inputs have the path {twice[0][:100]!r}; give each its own", where="config")
    fields = dict(config.fields) | {"entry_point": entry, "inputs": tuple(every), "register_as": register_as}
    fields["name"] = fields.get("name") or _title(config.fields.get("tracking"), entry)
    if (tracking := fields.get("tracking")) is not None:
        fields["tracking"] = tracking | {"experiment": tracking["experiment"] or fields["name"]}
    try:
        return TaskSpec.model_validate(fields)
    except ValidationError as exc:
        raise told(exc) from None


def _take_infra(given: Mapping[str, Any], found: dict[str, Any], reader: _Reader) -> None:
    """`clusters`: what is asked of each; the one of `runner_location` counts."""
    clusters = given.get("clusters")
    if clusters is None:
        return
    if not isinstance(clusters, dict):
        reader.wrong("clusters", 'is an object: {"name": {"infra_config": {"instance_type": "cpu"}}}', clusters)
        return
    for name, entry in clusters.items():
        place = f"clusters.{name[:100]}"
        unknown = sorted(set(entry) - {"infra_config"}) if isinstance(entry, dict) else []
        infra = entry.get("infra_config") or {} if isinstance(entry, dict) else None
        if not isinstance(infra, dict) or unknown:
            reader.wrong(place, 'is an object with "infra_config" alone', unknown[0] if unknown else entry)
            continue
        for key in sorted(set(infra) - set(_INFRA)):
            reader.wrong(f"{place}.infra_config.{key[:100]}", f"is no field of it; there are {', '.join(_INFRA)}")
        if name == found["cluster"]:
            for key, target in _INFRA.items():
                value = infra.get(key)
                if value not in (None, ""):
                    # What is said of the task itself goes before.
                    found.setdefault(target, value)


def _take_tracking(given: Mapping[str, Any], found: dict[str, Any], reader: _Reader) -> None:
    tracked, uri, experiment = (given.get(name) for name in ("model_tracking", "tracking_uri", "experiment_name"))
    if tracked is not None and not isinstance(tracked, bool):
        reader.wrong("model_tracking", "is true or false", tracked)
    for name, value in (("tracking_uri", uri), ("experiment_name", experiment)):
        if value is not None and not isinstance(value, str):
            reader.wrong(name, "is a text", value)
            return
        if value and not value.isprintable():
            reader.wrong(name, "holds a line break or another control character; send one line of text", value)
            return
    # Old clients name the job by the experiment, tracked or not.
    if experiment:
        found.setdefault("name", _plain(experiment))
    if tracked:
        found["tracking"] = {"uri": uri or DEFAULT_TRACKING_URI, "experiment": experiment or ""}


def _convert(found: dict[str, Any], reader: _Reader) -> None:
    """Times, sizes, and what may be written as one text."""
    for target, convert in (("time_limit_s", time_limit_s), ("memory_bytes", memory_bytes)):
        if target in found:
            try:
                found[target] = convert(found[target])
            except ValueError as exc:
                reader.wrong(CALLED[target], str(exc), found.pop(target))
    command = found.get("command")
    if isinstance(command, str):
        try:
            found["command"] = tuple(shlex.split(command))
        except ValueError as exc:
            reader.wrong("command", f"cannot be split into words ({exc}); send a list of words", command)
    if "command" in found and isinstance(found["command"], list | tuple) and not found["command"]:
        reader.wrong("command", "is empty; leave it out to run the program itself")
    for name in ("dependencies", "modules"):
        if isinstance(found.get(name), str):
            found[name] = (found[name],)
    if not isinstance(found.get("parameters", {}), dict):
        reader.wrong("model_params", 'is an object of names and scalars, such as {"depth": 3}', found.pop("parameters"))
    environment = found.get("environment")
    if isinstance(environment, dict):
        found["environment"] = {name: _as_text(value) for name, value in environment.items()}
    if "array" in found and isinstance(found["array"], int) and not isinstance(found["array"], bool):
        found["array"] = str(found["array"])


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _inputs(given: object, reader: _Reader) -> tuple[InputRef, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        reader.wrong("inputs", 'is a list of {"path": …, "upload": …} or {"path": …, "dataset": "name/file"}', given)
        return ()
    found = []
    for number, item in enumerate(given[:1000]):
        if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
            reader.wrong(f"inputs.{number}", "is an object of texts: path, and upload or dataset", item)
        elif unknown := sorted(set(item) - set(_OF_INPUT)):
            reader.wrong(f"inputs.{number}.{unknown[0][:100]}", f"is no field of it; there are {', '.join(_OF_INPUT)}")
        elif ("upload" in item) == ("dataset" in item):
            reader.wrong(f"inputs.{number}", "has either upload, or dataset")
        elif "sha256" in item and not re.fullmatch(r"[0-9a-fA-F]{64}", item["sha256"]):
            reader.wrong(f"inputs.{number}.sha256", "is 64 hex digits", item["sha256"])
        else:
            path = item.get("path") or str(item.get("dataset", "")).rpartition("/")[2]
            digest = item["sha256"].lower() if "sha256" in item else None
            found.append(InputRef(path, item.get("upload"), item.get("dataset"), digest))
    return tuple(found)


def _title(tracking: Mapping[str, Any] | None, entry: str) -> str:
    stem = entry.rpartition("/")[2].rpartition(".")[0]
    return _plain((tracking or {}).get("experiment") or stem) or "task"


def _plain(text: str) -> str:
    """What of a text may be a task's name."""
    plain = re.sub(r"[^A-Za-z0-9_. -]+", "-", text).lstrip(" .-")[:100].rstrip()
    return plain or "task"
