"""Options of `sbatch` as the properties that slurmrestd takes, in the shape of either generation of its API. Pure.

Sources: the OpenAPI documents of slurmrestd, `v0.0.38_job_properties` (Slurm 22.05) and `v0.0.40_job_desc_msg`
(Slurm 23.11 and later). slurmrestd itself does not read `#SBATCH` lines.
"""

from collections.abc import Callable, Mapping
from typing import Any

from common.submission.runners.slurm.rest.versions import Version

Properties = dict[str, Any]
# What an option adds: its value, and whether the API has the shapes of v0.0.39 and later.
_Writer = Callable[[str, bool], Properties]

_V39, _V40, _V41 = (0, 0, 39), (0, 0, 40), (0, 0, 41)


def _number(value: int, is_new: bool) -> int | dict[str, Any]:
    return {"set": True, "infinite": False, "number": value} if is_new else value


def _text(name: str) -> _Writer:
    return lambda value, is_new: {name: value}


def _integer(name: str) -> _Writer:
    return lambda value, is_new: {name: int(value)}


def _nodes(value: str, is_new: bool) -> Properties:
    least, _, most = value.partition("-")
    low, high = int(least), int(most or least)
    return {"minimum_nodes": low, "maximum_nodes": high} if is_new else {"nodes": [low, high]}


def _exclusive(value: str, is_new: bool) -> Properties:
    return {"exclusive": [value or "true"]} if is_new else {"exclusive": value or "exclusive"}


def _mail_type(value: str, is_new: bool) -> Properties:
    return {"mail_type": value.upper().split(",") if is_new else value}


def _dependent(value: str, is_new: bool) -> Properties:
    return {"flags": ["KILL_INVALID_DEPENDENCY"]} if is_new else {"kill_on_invalid_dependency": value == "yes"}


# What an administrator may set for every job.
OPTIONS: Mapping[str, _Writer] = {
    "comment": _text("comment"),
    "constraint": _text("constraints"),
    "exclusive": _exclusive,
    "hold": lambda value, is_new: {"hold": True},
    "licenses": _text("licenses"),
    "mail-type": _mail_type,
    "mail-user": _text("mail_user"),
    "mem-per-cpu": lambda value, is_new: {"memory_per_cpu": _number(_mebibytes(value), is_new)},
    "nice": _integer("nice"),
    "ntasks": _integer("tasks"),
    "ntasks-per-node": _integer("tasks_per_node"),
    "qos": _text("qos"),
    "reservation": _text("reservation"),
    "wckey": _text("wckey"),
}
_OF_TASKS: Mapping[str, _Writer] = {
    "account": _text("account"),
    "array": _text("array"),
    "chdir": _text("current_working_directory"),
    "cpus-per-task": _integer("cpus_per_task"),
    "dependency": _text("dependency"),
    "job-name": _text("name"),
    "kill-on-invalid-dep": _dependent,
    "mem": lambda value, is_new: {"memory_per_node": _number(_mebibytes(value), is_new)},
    # v0.0.38 takes any value of `requeue` for yes; this key is in no document of it, and works.
    "no-requeue": lambda value, is_new: {"requeue": False} if is_new else {"no_requeue": True},
    "nodes": _nodes,
    "open-mode": lambda value, is_new: {"open_mode": [value.upper()] if is_new else value},
    "output": _text("standard_output"),
    "partition": _text("partition"),
    "requeue": lambda value, is_new: {"requeue": True},
    "time": lambda value, is_new: {"time_limit": _number(_minutes(value), is_new)},
}


def job_body(script: str, options: Mapping[str, str], environment: Mapping[str, str], version: Version) -> Properties:
    """The body of `POST /slurm/<version>/job/submit`.

    Parameters
    ----------
    options : `batch.batch_options`: long option names of `sbatch`.
    environment : of the job; slurmrestd refuses a job without any.
    """
    is_new = version >= _V39
    job: Properties = {
        "environment": [f"{name}={value}" for name, value in environment.items()] if is_new else dict(environment)
    }
    for name, value in options.items():
        if name in ("gres", "gpus"):
            job |= _gpus(name, value, version)
        else:
            job |= (_OF_TASKS.get(name) or OPTIONS[name])(value, is_new)
    return {"job": {**job, "script": script}} if version >= _V41 else {"script": script, "job": job}


def _gpus(name: str, value: str, version: Version) -> Properties:
    if version < _V39:
        return {name: value}
    # What `sbatch` itself makes of these options, which these versions leave to their clients.
    between = "gres:" if version < _V40 else "gres/"
    return {"tres_per_node": f"{between}{value}"} if name == "gres" else {"tres_per_job": f"{between}gpu:{value}"}


def _mebibytes(value: str) -> int:
    units = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
    unit = value[-1].upper()
    return -int(-float(value[:-1]) * units[unit] // 1) if unit in units else int(value)


def _minutes(value: str) -> int:
    """Of `days-hours:minutes:seconds`; slurmrestd knows no seconds, and less than asked for would end a task early."""
    days, _, clock = value.partition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    return int(days) * 1440 + hours * 60 + minutes + (seconds > 0)
