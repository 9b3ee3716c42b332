"""The state files of a task in Atoll's words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from common.submission.records import Element, Observation
from common.submission.states import TaskState, of_elements

State = Mapping[str, Any]


def observation(name: str, submitted_at: str | None, states: Mapping[int | None, State | None]) -> Observation:
    """What there is to say of one submission.

    Parameters
    ----------
    states : by element, or of `None` alone; None for what waits.
    """
    if set(states) == {None}:
        return _of_one(name, submitted_at, states[None] or {})
    ordered = [(index, states[index] or {}) for index in sorted(key for key in states if key is not None)]
    elements = tuple(_element(index, state) for index, state in ordered)
    total = of_elements([element.state for element in elements])
    worst = next((element for element in elements if element.state is total), None)
    known = [state for _, state in ordered if state]
    return Observation(
        name=name,
        cluster_job_id=name,
        state=total,
        reason="Resources" if total is TaskState.PENDING else worst.reason if worst else None,
        exit_code=worst.exit_code if worst and total.is_finished else None,
        nodes=tuple(sorted({state["node"] for state in known if state.get("node")})),
        submitted_at=_time(submitted_at),
        started_at=min(_times(known, "started_at"), default=None),
        finished_at=max(_times(known, "finished_at"), default=None) if total.is_finished else None,
        cpu_time_s=_sum(known, "cpu_time_s"),
        peak_memory_bytes=max(
            (state["peak_memory_bytes"] for state in known if "peak_memory_bytes" in state), default=None
        ),
        restarts=max((int(state.get("restarts", 0)) for state in known), default=0),
        elements=elements,
    )


def _of_one(name: str, submitted_at: str | None, state: State) -> Observation:
    now = TaskState(state.get("state", "pending"))
    return Observation(
        name=name,
        cluster_job_id=name,
        state=now,
        reason=state.get("reason") or ("Resources" if now is TaskState.PENDING else None),
        exit_code=state.get("exit_code"),
        signal=state.get("signal"),
        nodes=(state["node"],) if state.get("node") else (),
        submitted_at=_time(submitted_at),
        started_at=_time(state.get("started_at")),
        finished_at=_time(state.get("finished_at")),
        cpu_time_s=state.get("cpu_time_s"),
        peak_memory_bytes=state.get("peak_memory_bytes"),
        restarts=int(state.get("restarts", 0)),
    )


def _element(index: int, state: State) -> Element:
    return Element(
        index=index,
        state=TaskState(state.get("state", "pending")),
        exit_code=state.get("exit_code"),
        reason=state.get("reason"),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _times(states: Sequence[State], field: str) -> list[datetime]:
    return [datetime.fromisoformat(state[field]) for state in states if state.get(field)]


def _sum(states: Sequence[State], field: str) -> float | None:
    values = [float(state[field]) for state in states if field in state]
    return round(sum(values), 3) if values else None
