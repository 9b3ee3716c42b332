"""Runs from MongoDB: the files that mongoexport writes of the collections application_execution and job_execution.

A file has a document a line, or with `--jsonArray` one list; either may be compressed by gzip. Values may be in MongoDB
Extended JSON, version 1 or 2: https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/. Which collection a
file is of is told by its documents. Jobs find their application by its id there, or else by Spark's.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from common.errors import Invalid
from models.scaleout.old_definitions import OldUpdates, loads
from models.scaleout.old_submission import OldSubmission
from models.scaleout.records import Application
from models.scaleout.rows import Told, application_of
from models.scaleout.submitted import told_of_submission

Document = Mapping[str, Any]
# MongoDB's documents have 16 MB at most.
MAX_LINE_BYTES = 64 * 1024 * 1024
MAX_ARRAY_BYTES = 256 * 1024 * 1024

_SPECS = ("global_specs", "optional_specs", "master_specs", "worker_specs", "spark_template_values")
_REFERENCES = ("application_execution_id", "app_execution_id", "application_execution", "execution_id")


def is_export(path: Path) -> bool:
    """Whether a file is one of mongoexport's, by its name and its first document."""
    if path.suffixes[-2:] not in ([".json"], [".jsonl"], [".json", ".gz"], [".jsonl", ".gz"]) and path.suffix not in (
        ".json",
        ".jsonl",
    ):
        return False
    try:
        first = next(documents(path), None)
    except Invalid:
        return False
    return first is not None and ("_id" in first or "global_specs" in first)


def read(paths: Iterable[Path]) -> list[Application]:
    """The runs that the files tell of, together: jobs without an application make one of their own.

    Raises
    ------
    Invalid
        A document cannot be read; says which, and why.
    """
    runs: dict[str, Told] = {}
    jobs: dict[str, dict[int, Told]] = {}
    by_spark_id: dict[str, str] = {}
    for path in paths:
        for number, document in enumerate(documents(path), 1):
            try:
                if _is_job(document):
                    run, job = _job(document)
                    jobs.setdefault(run, {})[job["job_id"]] = job
                else:
                    told = _application(document)
                    runs[told["execution_id"]] = told
                    if told.get("application_id"):
                        by_spark_id[told["application_id"]] = told["execution_id"]
            except ValidationError as exc:
                wrong = exc.errors()[0]
                where = ".".join(map(str, wrong["loc"]))
                raise Invalid(f"{path.name}, document {number}: {where}: {wrong['msg']}") from None
            except (KeyError, TypeError, ValueError) as exc:
                raise Invalid(f"{path.name}, document {number}: {exc}") from None
    of_run: dict[str, dict[int, Told]] = {}
    for reference, found in jobs.items():
        run = reference if reference in runs else by_spark_id.get(reference, reference)
        of_run.setdefault(run, {}).update(found)
    for run in of_run.keys() - runs.keys():
        runs[run] = {"execution_id": run, "context": {"system": "spark", "algorithm": "unknown"}}
    return [application_of(told, of_run.get(run, {}).values()) for run, told in runs.items()]


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a file, in plain JSON.

    Raises
    ------
    Invalid
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            begin = file.read(1)
            while begin.isspace():
                begin = file.read(1)
            found = _array(begin, file) if begin == b"[" else map(loads, _lines(begin, file))
            for document in found:
                if not isinstance(document, dict):
                    raise Invalid(f"{path.name} holds something else than documents; send what mongoexport writes")
                yield plain(document)
    except RecursionError:
        raise Invalid(f"{path.name} has a document that is nested too deeply; send what mongoexport writes") from None
    except (OSError, EOFError, zlib.error, ValueError, TypeError, OverflowError) as exc:
        raise Invalid(f"{path.name} cannot be read: {exc}; send what mongoexport writes, as .json or .json.gz") from exc


def _array(begin: bytes, file: BufferedIOBase) -> Iterable[Any]:
    text = begin + file.read(MAX_ARRAY_BYTES)
    if len(text) > MAX_ARRAY_BYTES:
        raise ValueError(f"it is one list of more than {MAX_ARRAY_BYTES >> 20} MiB; export it without --jsonArray")
    found: list[Any] = loads(text)
    return found


def _lines(begin: bytes, file: BufferedIOBase) -> Iterator[bytes]:
    while line := begin + file.readline(MAX_LINE_BYTES):
        begin = b""
        if len(line) >= MAX_LINE_BYTES:
            raise ValueError(f"a line has more than {MAX_LINE_BYTES >> 20} MiB")
        if line.strip():
            yield line


def plain(value: Any) -> Any:
    """A value without Extended JSON's wrappers; dates as milliseconds since 1970, what is no number as None."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "$oid":
            return str(inner)
        if kind in ("$numberLong", "$numberInt"):
            return int(inner)
        if kind in ("$numberDouble", "$numberDecimal"):
            number = float(inner)
            return number if abs(number) < float("inf") else None
        if kind == "$date":
            return _milliseconds(plain(inner))
    return {name: plain(item) for name, item in value.items()}


def _milliseconds(given: Any) -> float:
    if isinstance(given, int | float):
        return float(given)
    moment = datetime.fromisoformat(str(given))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def _is_job(document: Document) -> bool:
    return "job_id" in document and "global_specs" not in document


def _application(document: Document) -> Told:
    if not document.get("_id"):
        raise ValueError("an application_execution has no _id")
    told: Told = {"context": {"system": "spark", "algorithm": "unknown"}}
    if isinstance(document.get("global_specs"), dict):
        specs = {name: document[name] for name in _SPECS if isinstance(document.get(name), dict)}
        told = told_of_submission(OldSubmission.model_validate(specs))
    told |= _times(OldUpdates.model_validate(_timed(document)))
    return {**told, "execution_id": str(document["_id"])}


def _job(document: Document) -> tuple[str, Told]:
    updates = OldUpdates.model_validate(_timed(document))
    reference = next((document[name] for name in _REFERENCES if document.get(name)), updates.application_id)
    if not reference:
        raise ValueError("a job_execution names no application: neither application_execution_id nor application_id")
    if updates.job_id is None:
        raise ValueError("a job_execution has no job_id")
    job = {**updates.told(), "predicted_scale_out": updates.predicted_scale_out, "attempt_id": updates.attempt_id}
    known = {name: value for name, value in job.items() if value is not None}
    return str(reference), {**known, "job_id": updates.job_id, "stages": dict(updates.stages_told())}


def _times(updates: OldUpdates) -> Told:
    told = {
        **updates.told(),
        "application_id": updates.application_id,
        "signature": updates.application_signature,
        "attempt_id": updates.attempt_id,
    }
    return {name: value for name, value in told.items() if value is not None and name != "rescaling_time_ratio"}


def _timed(document: Document) -> Document:
    """Stages may be a list there; a stage of its own id then."""
    stages = document.get("stages")
    if isinstance(stages, list):
        if not all(isinstance(stage, dict) and stage.get("stage_id") is not None for stage in stages):
            raise ValueError("stages: one of the list has no stage_id")
        return {**document, "stages": {str(stage["stage_id"]): stage for stage in stages}}
    return document
