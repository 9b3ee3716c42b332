"""A task's config as callers send it, old and new, made a `TaskSpec`. Pure.

The fields of the service before this one (`dataset_name`, `model_params`, `runner_location`, `clusters` …) and the new
ones may be mixed. Nothing is passed over: a field that is not known is refused, with those there are.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from common.errors import BadRequest, FieldError, Invalid, shorten
from common.http.problems import field_errors
from common.submission.masking import is_secret_name
from common.submission.parse import memory_bytes, time_limit_s
from common.submission.spec import Register, TaskSpec

LOCAL = "local"
PROGRAMS = (".py", ".sh")
DEFAULT_TRACKING_URI = "experiments"
_DEFAULT_EXPERIMENT = "Default"
# Whole numbers beyond 64 bits have at least so many digits.
_LONG_NUMBER = re.compile(rb"\d{19}")
# More wrong fields than anybody mends at once.
_SHOWN_ERRORS = 50

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
# Fields whose values are never shown back.
_PRIVATE = frozenset({"parameters", "environment", "command", "labels", "spark", "tracking_uri"})
_OF_INPUT = ("path", "upload", "dataset", "sha256")
# How a field of the spec is called in a config, for errors.
_CALLED = {
    "cluster": "runner_location",
    "entry_point": "script_path",
    "parameters": "model_params",
    "dataset": "dataset_name",
    "time_limit_s": "time_limit",
    "memory_bytes": "memory",
    "partition": "partition (instance_type)",
    "image": "image (image_name)",
}
# What pydantic says, to callers who know nothing of Python.
_TOLD = {
    "Input should be a valid dictionary": "is an object",
    "Input should be a valid tuple": "is a list",
    "Input should be a valid string": "is a text",
    "Extra inputs are not permitted": "is no field of it",
}
_MAIN = ("main.py", "main.sh", "run.sh", "train.py", "__main__.py")


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


@dataclass(frozen=True)
class Program:
    """The program that came with a config.

    Parameters
    ----------
    filename : as the caller named it, without a path.
    members : paths of its files, if it is an archive.
    """

    filename: str
    members: Sequence[str] | None = None


@dataclass
class _Reader:
    """Collects what is wrong, so that all of it is told at once."""

    errors: list[FieldError] = field(default_factory=list)

    def wrong(self, name: str, message: str, value: object = None) -> None:
        private = is_secret_name(name) or _SAME.get(name, name) in _PRIVATE
        self.errors.append(
            FieldError(field=f"config.{name}", message=message, value=None if private else shorten(value))
        )

    def check(self) -> None:
        if self.errors:
            shown = "; ".join(f"{item.field.removeprefix('config.')}: {item.message}" for item in self.errors[:5])
            more = f" (and {len(self.errors) - 5} more)" if len(self.errors) > 5 else ""
            raise Invalid(shown + more, errors=self.errors[:_SHOWN_ERRORS])


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
            reader.wrong(name, f"differs from the other field for the same, {_CALLED.get(target, target)}", value)
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
        raise _told(exc) from None


def entry_point(program: Program, wanted: str | None, *, has_command: bool = False) -> str:
    """The path, in the program, of the file that is run.

    Parameters
    ----------
    wanted : as the config says; of a single file the last part counts, of an archive it is a member.
    has_command : another command is run, so that any file may stand for it.

    Raises
    ------
    Invalid
        There is no such file, or several could be meant.
    """
    if program.members is None:
        name = program.filename
        if wanted is not None:
            given = wanted.replace("\\", "/").rpartition("/")[2]
            # The old service stored the file under the name in the config.
            if given.endswith(PROGRAMS) and given[given.rindex(".") :] == name[name.rindex(".") :]:
                return given
            raise _no_entry(wanted, [name])
        return name
    runnable = sorted(name for name in program.members if name.endswith(PROGRAMS))
    if wanted is not None:
        return _member(wanted.removeprefix("./"), program.members, runnable)
    if len(runnable) == 1:
        return runnable[0]
    for name in _MAIN:
        if name in runnable:
            return name
    if has_command and program.members:
        return runnable[0] if runnable else min(program.members)
    if not runnable:
        raise Invalid.field("script_path", "the archive holds no .py or .sh file; pack one", where="config")
    raise Invalid.field("script_path", f"say which file of the archive is run: {_some(runnable)}", where="config")


def _member(wanted: str, members: Sequence[str], runnable: Sequence[str]) -> str:
    if wanted in members:
        return wanted
    # Archives often hold a folder that the path leaves out, and old clients' paths are those of their own machine.
    for ending in (f"/{wanted}", f"/{wanted.rpartition('/')[2]}"):
        found = [name for name in members if f"/{name}".endswith(ending)]
        if len(found) == 1:
            return found[0]
    raise _no_entry(wanted, runnable)


def _no_entry(wanted: str, there: Sequence[str]) -> Invalid:
    return Invalid.field("script_path", f"is no file of the program, which has {_some(there)}", wanted, where="config")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(name[:100] for name in names[:20]) + more if names else "none"


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
                reader.wrong(_CALLED[target], str(exc), found.pop(target))
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


def _told(exc: ValidationError) -> Invalid:
    """What the spec found wrong, with a config's own names. Values of fields that may hold secrets are not shown."""
    fields: list[FieldError] = []
    places = set()
    every = exc.errors()
    for raw, item in zip(every[:_SHOWN_ERRORS], field_errors(every[:_SHOWN_ERRORS]), strict=True):
        first, _, rest = item.field.partition(".")
        message = _plainly(item.message)
        if first == "parameters" and not item.field.endswith("[key]"):
            rest = rest.partition(".")[0]
            if not isinstance(raw.get("input"), str):
                message = "is no scalar; send a text of one line, a number, true or false"
            elif "control character" not in message and "at most" not in message:
                # The other members of the union.
                continue
        if first == "tracking":
            first, rest = {"uri": "tracking_uri", "experiment": "experiment_name"}.get(rest, first), ""
        called = _CALLED.get(first, first).partition(" ")[0]
        place = f"{called}.{rest}" if rest else called
        if place not in places:
            places.add(place)
            value = None if first in _PRIVATE or is_secret_name(rest) else item.value
            fields.append(FieldError(field=f"config.{place.removesuffix('.[key]')}", message=message, value=value))
    shown = "; ".join(f"{item.field.removeprefix('config.')}: {item.message}" for item in fields[:5])
    more = f" (and {len(fields) - 5} more)" if len(fields) > 5 else ""
    return Invalid(shown + more, errors=fields)


def _plainly(message: str) -> str:
    """Patterns say little to people."""
    if "should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.@:/+-]" in message:
        return "is a word of letters, digits and _ . @ : / + -, and begins with a letter, digit or _"
    if "should match pattern '^[0-9]{1,6}(-" in message:
        return "is indices such as 0-9, 0-9:3 or 1,5,7, with %2 for two at once"
    if "should match pattern '^[0-9a-z]{27}$'" in message:
        return "is the id of a task, 27 letters and digits"
    if "should match pattern '^[A-Za-z_]" in message:
        return "is no name: letters, digits and _, beginning with a letter or _"
    if "should match pattern '^[A-Za-z0-9_][A-Za-z0-9_" in message:
        return "is a name of letters, digits, _ . and -, and begins with a letter, digit or _"
    for beginning, told in _TOLD.items():
        if message.startswith(beginning):
            return told
    return message
