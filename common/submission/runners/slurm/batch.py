"""The batch script of a task: `#SBATCH` lines from checked values, and nothing of the program's own. Pure.

Options: sbatch(1). What the script does is in the task's `run.sh`, which all runners share.
"""

import re
import shlex
from collections.abc import Mapping

from common.submission.records import Submission
from common.submission.runners.slurm.config import SlurmConfig

_OPTION = re.compile(r"[a-z][a-z0-9-]*")
# No blank, quote, backslash, hash or control character: Slurm takes these lines apart as a shell would.
_VALUE = re.compile(r"[A-Za-z0-9_.,:;@%/+*=|&()\[\]<>-]*")
_JOB_ID = re.compile(r"[1-9]\d*")
_MIB = 1 << 20


def batch_options(task: Submission, config: SlurmConfig, folder: str) -> dict[str, str]:
    """What `sbatch` is told, by long option names; an empty text stands for an option without a value.

    Parameters
    ----------
    folder : the task's own, absolute, as the cluster's nodes see it.
    """
    spec = task.spec
    log = "task-%a.log" if spec.array else "task.log"
    options: dict[str, str] = {
        **config.options,
        "job-name": task.name,
        "chdir": folder,
        "output": f"{folder}/{log}",
        # A job that is begun anew goes on below what it wrote before.
        "open-mode": "append",
        "requeue" if spec.requeue else "no-requeue": "",
    }
    _add(options, "partition", spec.partition or config.default_partition)
    _add(options, "account", spec.account or config.default_account)
    time_limit_s = spec.time_limit_s or config.default_time_limit_s
    _add(options, "time", _duration(time_limit_s) if time_limit_s else None)
    _add(options, "mem", f"{-(-spec.memory_bytes // _MIB)}M" if spec.memory_bytes else None)
    _add(options, "cpus-per-task", spec.cpus)
    _add(options, "nodes", spec.nodes)
    if spec.gpus:
        options.update({"gpus": str(spec.gpus)} if config.gpu_option == "gpus" else {"gres": f"gpu:{spec.gpus}"})
    _add(options, "array", spec.array)
    if task.depends_on:
        options["dependency"] = ":".join(["afterok", *task.depends_on])
        # Else it would wait for ever for one that has failed.
        options["kill-on-invalid-dep"] = "yes"
    return _checked(options, task)


def batch_script(task: Submission, config: SlurmConfig, folder: str) -> str:
    """The whole script, as it is given to `sbatch` on stdin, or as `script` to slurmrestd."""
    lines = ["#!/bin/sh"]
    for name, value in batch_options(task, config, folder).items():
        lines.append(f"#SBATCH --{name}={value}" if value else f"#SBATCH --{name}")
    lines += ["", *(f"export {name}={value}" for name, value in _variables(task, folder).items())]
    lines += [f"exec sh {shlex.quote(f'{folder}/run.sh')}", ""]
    return "\n".join(lines)


def _variables(task: Submission, folder: str) -> Mapping[str, str]:
    """What `run.sh` is told, as shell text."""
    found = {"ATOLL_TASK_DIR": shlex.quote(folder)}
    if task.spec.array:
        # Every element has a number of its own as well; the claim of the folder is the whole array's.
        found |= {
            "ATOLL_CLUSTER_JOB_ID": '"$SLURM_ARRAY_JOB_ID"',
            "ATOLL_CLAIM_WHOLE": "1",
            "ATOLL_ARRAY_INDEX": '"$SLURM_ARRAY_TASK_ID"',
        }
    else:
        found["ATOLL_CLUSTER_JOB_ID"] = '"$SLURM_JOB_ID"'
    return found


def _add(options: dict[str, str], name: str, value: str | int | None) -> None:
    if value is not None:
        options[name] = str(value)


def _checked(options: dict[str, str], task: Submission) -> dict[str, str]:
    """The last look before the text leaves: specs and settings are checked where they come in."""
    for name, value in options.items():
        if not _OPTION.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the option --{name[:40]} of {task.name[:63]} holds what no option may hold")
    if not all(_JOB_ID.fullmatch(job_id) for job_id in task.depends_on):
        raise ValueError(f"{task.name[:63]} depends on what is no number of a Slurm job")
    return options


def _duration(seconds: int) -> str:
    """`days-hours:minutes:seconds`."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}-{hour:02}:{minute:02}:{second:02}"
