"""Records as the database and the API keep them: plain JSON of what is known, and nothing of what is not. Pure.

{"execution_id": "…", "application_id": "…", "context": {"algorithm": "gbt", …}, "start_s": 1700000000.0, …}
{"job_id": 3, "end_s": 1700000010.0, "stages": {"7": {"stage_id": 7, "metrics": {…}, …}}}
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from models.scaleout.records import Application, Context, JobExecution, Metrics, Stage

# What was told, by field; a field that was not told is missing.
Told = dict[str, Any]

_SETTERS = ("context", "jobs", "stages", "metrics")


def told_of(application: Application) -> tuple[Told, list[Told]]:
    """A record and its jobs as they are kept."""
    jobs = [job_told(job) for job in application.jobs]
    told = {name: value for name, value in _plain(application).items() if name != "jobs"}
    context = _known(asdict(application.context))
    told["context"] = {name: list(value) if isinstance(value, tuple) else value for name, value in context.items()}
    return told, jobs


def job_told(job: JobExecution) -> Told:
    stages = {str(stage.stage_id): stage_told(stage) for stage in job.stages.values()}
    return {**_plain(job), "stages": stages}


def stage_told(stage: Stage) -> Told:
    return {**_plain(stage), "metrics": _known(asdict(stage.metrics))}


def application_of(told: Mapping[str, Any], jobs: Iterable[Mapping[str, Any]]) -> Application:
    """The record. Jobs are ordered by id; those of an attempt of the application before the last are left out."""
    kept = sorted(jobs, key=lambda job: int(job["job_id"]))
    latest = max([rank(told.get("attempt_id")), *(rank(job.get("attempt_id")) for job in kept)])
    context = told.get("context") or {}
    return Application(
        context=Context(**{"system": "spark", "algorithm": "", **_fitting(Context, context)}),
        jobs=tuple(job_of(job) for job in kept if rank(job.get("attempt_id", told.get("attempt_id"))) >= latest),
        **{name: value for name, value in _fitting(Application, told).items() if name not in ("context", "jobs")},
    )


def job_of(told: Mapping[str, Any]) -> JobExecution:
    stages = {int(number): stage_of(stage) for number, stage in (told.get("stages") or {}).items()}
    return JobExecution(**{**_fitting(JobExecution, told), "stages": stages})


def stage_of(told: Mapping[str, Any]) -> Stage:
    metrics = Metrics(**_fitting(Metrics, told.get("metrics") or {}))
    return Stage(**{"name": "", **_fitting(Stage, told), "metrics": metrics})


def rank(attempt: object) -> int:
    """Attempts in their order; what has no number comes first."""
    text = str(attempt if attempt is not None else "").rpartition("_")[2]
    return int(text) if text.isdecimal() and text.isascii() else 0


def _plain(record: Any) -> Told:
    """The fields that are no records themselves."""
    found = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in _SETTERS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in _known(found).items()}


def _known(values: Mapping[str, Any]) -> Told:
    return {name: value for name, value in values.items() if value is not None}


def _fitting(kind: Any, told: Mapping[str, Any]) -> Told:
    """What the record has a field for: rows of a later version may hold more."""
    names = {field.name for field in fields(kind)}
    found = {name: value for name, value in told.items() if name in names and value is not None}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
