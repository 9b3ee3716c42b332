"""What must hold after any number of kills."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

LOST = "lost tasks: accepted, and never finished, or their files never here"
TWINS = "twins: the program of one attempt ran twice"
ORPHANS = "orphans: left on the cluster without a task that follows it"
WRONG = "wrong ends: another one than the program's"
PROMISES = (LOST, TWINS, ORPHANS, WRONG)

Violations = dict[str, list[str]]


def check(
    accepted: Mapping[str, str], found: Mapping[str, Mapping[str, Any]], runs: Sequence[str], live: Sequence[str]
) -> Violations:
    """Compare what callers were told with what is there.

    Parameters
    ----------
    accepted : tasks that were answered 202, with how each has to end: `succeeded`, `failed`, or `cancelled`, for those
        that were cancelled, which may have ended by themselves before.
    found : tasks as the API shows them in the end.
    runs : a line `<task id> <attempt's name>` for each time that a program was run.
    live : names of what is left on the cluster, waiting or running.
    """
    violations: Violations = {promise: [] for promise in PROMISES}
    for task_id, expected in accepted.items():
        task = found.get(task_id)
        # What was cancelled before any cluster had it left nothing.
        if task is None or not task["finished"] or (task["files"] != "complete" and task["cluster_job_id"] is not None):
            violations[LOST].append(f"{task_id}: {task}")
        elif task["state"] != expected and not (expected == "cancelled" and task["state"] == "succeeded"):
            violations[WRONG].append(f"{task_id}: {task['state']}, and not {expected}: {task.get('reason')}")
    for line, count in Counter(runs).items():
        if count > 1:
            violations[TWINS].append(f"{line}: {count} times")
    names = {line.split(" ")[0] for line in runs}
    for task_id in sorted(names - found.keys()):
        violations[ORPHANS].append(f"{task_id} ran, and there is no such task")
    violations[ORPHANS] += [f"{name} is still there" for name in live]
    return violations
