"""What is known of a run after one more event. Pure; events may come late, twice and in any order.

- What was not told never puts out what is known.
- A start is the earliest one told, an end the latest.
- Of two that tell different things, the one that saw more of the run counts: that with the later end.
- Of a stage, and of a job of an application that was begun anew, the latest attempt counts; the others are left out.
"""

from collections.abc import Mapping
from typing import Any

from models.scaleout.rows import Told, rank

_NOT_FIELDS = ("stages", "metrics", "context", "start_s", "end_s")


def merge_application(known: Mapping[str, Any], told: Mapping[str, Any]) -> Told:
    """What is known of an application, without its jobs."""
    older, newer = rank(known.get("attempt_id")), rank(told.get("attempt_id"))
    if known and newer < older and told.get("attempt_id") is not None:
        # A late word of an attempt that is over: only what an attempt does not change is taken.
        told = {name: value for name, value in told.items() if name in ("context", "signature", "target_s")}
    elif newer > older and known.get("attempt_id") is not None:
        known = {name: value for name, value in known.items() if name not in _OF_AN_ATTEMPT}
    merged = _merge(known, told)
    # The other way round than everything else: of a context, the first word is that of the submission.
    context = _known(told.get("context")) | _known(known.get("context"))
    return {**merged, "context": context} if context else merged


_OF_AN_ATTEMPT = ("application_id", "start_s", "end_s", "start_scale_out", "end_scale_out")


def merge_job(known: Mapping[str, Any], told: Mapping[str, Any]) -> Told:
    """What is known of a job."""
    older, newer = rank(known.get("attempt_id")), rank(told.get("attempt_id"))
    if known and newer != older and told.get("attempt_id") is not None and known.get("attempt_id") is not None:
        return merge_job({}, told) if newer > older else dict(known)
    stages = {number: dict(stage) for number, stage in (known.get("stages") or {}).items()}
    for number, stage in (told.get("stages") or {}).items():
        stages[number] = merge_stage(stages.get(number, {}), stage)
    return {**_merge(known, told), "stages": stages}


def merge_stage(known: Mapping[str, Any], told: Mapping[str, Any]) -> Told:
    """What is known of a stage: of its latest attempt."""
    older, newer = known.get("attempt", 0), told.get("attempt", 0)
    if known and older != newer:
        return merge_stage({}, told) if newer > older else dict(known)
    weaker, stronger = _stronger(known, told)
    return {**_merge(known, told), "metrics": _known(weaker.get("metrics")) | _known(stronger.get("metrics"))}


def _merge(known: Mapping[str, Any], told: Mapping[str, Any]) -> Told:
    weaker, stronger = _stronger(known, told)
    merged = _plain(weaker) | _plain(stronger)
    for name, choose in (("start_s", min), ("end_s", max)):
        times = [one[name] for one in (known, told) if one.get(name) is not None]
        if times:
            merged[name] = choose(times)
    return merged


def _stronger(known: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Both, the one that counts last."""
    return (told, known) if _seen(told) < _seen(known) else (known, told)


def _seen(one: Mapping[str, Any]) -> float:
    return float("-inf") if one.get("end_s") is None else float(one["end_s"])


def _plain(one: Mapping[str, Any]) -> Told:
    return {name: value for name, value in one.items() if value is not None and name not in _NOT_FIELDS}


def _known(values: Mapping[str, Any] | None) -> Told:
    return {name: value for name, value in (values or {}).items() if value not in (None, "", [], {})}
