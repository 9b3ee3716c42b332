"""Slurm's states in Atoll's words. Pure. Source: "JOB STATE CODES" of squeue(1) and sacct(1), slurm/slurm.h."""

from collections.abc import Sequence
from typing import NamedTuple

from common.submission.states import TaskState

_STATES = {
    TaskState.PENDING: "PENDING CONFIGURING REQUEUED REQUEUE_FED REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT POWER_UP_NODE",
    # One that is COMPLETING has ended, but how is told only when its nodes have let go of it.
    TaskState.RUNNING: "RUNNING COMPLETING SUSPENDED STOPPED SIGNALING STAGE_OUT RESIZING UPDATE_DB",
    TaskState.SUCCEEDED: "COMPLETED",
    TaskState.FAILED: "FAILED DEADLINE LAUNCH_FAILED RECONFIG_FAIL",
    # Revoked: another cluster of the federation has it.
    TaskState.CANCELLED: "CANCELLED REVOKED",
    TaskState.TIMED_OUT: "TIMEOUT",
    TaskState.OUT_OF_MEMORY: "OUT_OF_MEMORY",
    # What took the node away, be it another job: the program did nothing wrong, and can be begun anew.
    TaskState.NODE_FAILED: "NODE_FAIL BOOT_FAIL PREEMPTED",
}
_BY_NAME = {name: state for state, names in _STATES.items() for name in names.split()}
# Flags stand beside a base state (REST tells both); of these the flag is the news.
_FLAGS_FIRST = ("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "COMPLETING", "STAGE_OUT", "CONFIGURING")
_SHORT = {
    "PD": "PENDING", "CF": "CONFIGURING", "R": "RUNNING", "CG": "COMPLETING", "S": "SUSPENDED", "ST": "STOPPED",
    "SO": "STAGE_OUT", "CD": "COMPLETED", "F": "FAILED", "CA": "CANCELLED", "TO": "TIMEOUT", "OOM": "OUT_OF_MEMORY",
    "NF": "NODE_FAIL", "BF": "BOOT_FAIL", "PR": "PREEMPTED", "DL": "DEADLINE", "RV": "REVOKED", "RQ": "REQUEUED",
    "RH": "REQUEUE_HOLD", "RF": "REQUEUE_FED", "RD": "RESV_DEL_HOLD", "SE": "SPECIAL_EXIT", "SI": "SIGNALING",
    "RS": "RESIZING",
}  # fmt: skip
_NO_REASON = frozenset({"", "None", "(null)", "N/A", "Unknown"})
# The numbers that Slurm leaves instead of an exit code where the program was never begun.
_NEVER_BEGUN = frozenset({"JobLaunchFailure", "BadConstraints", "LAUNCH_FAILED", "launch_failed_requeued_held"})
# Slurm notes an end for memory as signal 125, which is none.
_LAST_SIGNAL = 64


class Ending(NamedTuple):
    """How a program ended: by itself, with a code, or by a signal."""

    exit_code: int | None
    signal: int | None


class Reading(NamedTuple):
    """Where a job stands.

    Parameters
    ----------
    reason : Slurm's word for why: of a waiting job why it waits, of one that went wrong what went wrong.
    """

    state: TaskState
    reason: str | None
    exit_code: int | None
    signal: int | None


def base_state(state: str | Sequence[str]) -> str:
    """The one word that counts of what Slurm tells: `CANCELLED by 1001`, `COMPLETED+`, or a list of state and flags."""
    words = [state] if isinstance(state, str) else list(state)
    names = [word.split()[0].rstrip("+").upper() for word in words if word.split()]
    names = [_SHORT.get(name, name) for name in names]
    return next((flag for flag in _FLAGS_FIRST if flag in names), names[0] if names else "")


def read(state: str | Sequence[str], reason: str | None, ending: Ending) -> Reading | None:
    """Where a job stands; None for a state that this knows nothing of: the job is asked about again.

    Parameters
    ----------
    ending : `wait_status` or `exit_pair` of what Slurm tells; it counts only of a job that has ended.
    """
    name = base_state(state)
    found = _BY_NAME.get(name)
    if found is None:
        return None
    why = None if reason is None or reason.strip() in _NO_REASON else reason.strip()
    if not found.is_finished:
        plain = found is TaskState.PENDING or name == "RUNNING"
        return Reading(found, why if plain else why or name.capitalize(), None, None)
    if why in _NEVER_BEGUN or found is TaskState.NODE_FAILED:
        ending = Ending(None, None)
    if found is TaskState.SUCCEEDED:
        return Reading(found, None, ending.exit_code, None)
    if found in (TaskState.CANCELLED, TaskState.TIMED_OUT, TaskState.OUT_OF_MEMORY) and ending.exit_code == 0:
        # It left no code of its own.
        ending = Ending(None, ending.signal)
    return Reading(found, why or _WORDS.get(name, name), ending.exit_code, ending.signal)


_WORDS = {
    "FAILED": "NonZeroExitCode", "CANCELLED": "Cancelled", "REVOKED": "Revoked", "TIMEOUT": "TimeLimit",
    "OUT_OF_MEMORY": "OutOfMemory", "NODE_FAIL": "NodeDown", "BOOT_FAIL": "NodeBootFailed", "PREEMPTED": "Preempted",
    "DEADLINE": "DeadLine",
}  # fmt: skip


def wait_status(raw: int) -> Ending:
    """Of a status as wait(2) gives it (`exit_code` of squeue and of REST): 768 is exit code 3."""
    return _ending(raw >> 8 & 0xFF, raw & 0x7F)


def exit_pair(text: str) -> Ending:
    """Of `code:signal`, as sacct and scontrol tell it; anything else is unknown."""
    code, _, signal = text.partition(":")
    if not code.isdigit() or (signal and not signal.isdigit()):
        return Ending(None, None)
    return _ending(int(code), int(signal or 0))


def _ending(code: int, signal: int) -> Ending:
    if not 0 <= code <= 255:
        return Ending(None, None)
    if not signal:
        return Ending(code, None)
    # A number that is no signal is Slurm's own note.
    return Ending(code or None, signal if signal <= _LAST_SIGNAL else None)
