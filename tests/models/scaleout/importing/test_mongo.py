"""Runs from mongoexport's files, in every form that it writes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import Invalid
from models.scaleout.importing import mongo
from models.scaleout.importing.mongo import is_export, plain, read
from tests.models.scaleout.payloads import T0_MS, stage, submission

ID = "6463a0f0c2b1a9d3e4f50718"
APPLICATION: dict[str, Any] = {
    "_id": {"$oid": ID},
    **submission(),
    "application_id": "spark-0a1b",
    "application_signature": "gbt-7f",
    "attempt_id": None,
    "start_time": {"$numberLong": str(T0_MS)},
    "end_time": {"$date": "2023-11-14T22:23:20Z"},
    "start_scale_out": {"$numberInt": "4"},
    "end_scale_out": 6,
}
JOB: dict[str, Any] = {
    "_id": {"$oid": "6463a0f0c2b1a9d3e4f50719"},
    "application_execution_id": {"$oid": ID},
    "application_id": "spark-0a1b",
    "job_id": 0,
    "start_time": T0_MS,
    "end_time": T0_MS + 30_000,
    "start_scale_out": 4,
    "end_scale_out": 4,
    "rescaling_time_ratio": {"$numberDouble": "NaN"},
    "stages": {"0": stage(0, T0_MS, T0_MS + 30_000)},
}


def lines(*documents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def listed(*documents: dict[str, Any]) -> bytes:
    return json.dumps(documents).encode()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.json", lines),
        ("x.jsonl", lines),
        ("x.json", listed),
        ("x.json.gz", lambda *documents: gzip.compress(lines(*documents))),
    ],
)
def test_applications_and_their_jobs_are_read_from_each_form_of_file(tmp_path: Path, name: str, write: Any) -> None:
    (tmp_path / f"application_execution_{name}").write_bytes(write(APPLICATION))
    (tmp_path / f"job_execution_{name}").write_bytes(write(JOB))
    assert all(map(is_export, tmp_path.iterdir()))
    (run,) = read(sorted(tmp_path.iterdir()))
    assert (run.execution_id, run.application_id, run.signature, run.target_s) == (ID, "spark-0a1b", "gbt-7f", 600.0)
    assert (run.context.algorithm, run.context.data_size_mb, run.context.cores) == ("gbt", 27_000, 2)
    assert (run.start_s, run.runtime_s, run.end_scale_out) == (T0_MS / 1000, 600.0, 6)
    (job,) = run.jobs
    assert (job.job_id, job.runtime_s, job.stages[0].num_tasks) == (0, 30.0, 16)


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    jobs, applications = tmp_path / "a.json", tmp_path / "b.json"
    jobs.write_bytes(lines(JOB))
    applications.write_bytes(lines(APPLICATION))
    assert read([jobs, applications]) == read([applications, jobs])


def test_a_job_finds_its_application_by_sparks_id_too(tmp_path: Path) -> None:
    job = {name: value for name, value in JOB.items() if name != "application_execution_id"}
    (tmp_path / "a.json").write_bytes(lines(APPLICATION, job))
    (run,) = read([tmp_path / "a.json"])
    assert (run.execution_id, len(run.jobs)) == (ID, 1)


def test_jobs_without_their_application_are_a_run_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(JOB, JOB | {"job_id": 1}))
    (run,) = read([tmp_path / "a.json"])
    assert (run.execution_id, run.context.algorithm, [job.job_id for job in run.jobs]) == (ID, "unknown", [0, 1])


def test_stages_may_be_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(JOB | {"stages": list(JOB["stages"].values())}))
    assert read([tmp_path / "a.json"])[0].jobs[0].stages[0].num_tasks == 16


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (JOB | {"end_time": T0_MS - 1}, "document 2: .*is before start_time"),
        (JOB | {"stages": {"0": {"num_tasks": -1}}}, "document 2: stages.0.num_tasks"),
        ({"_id": "x", "job_id": 0}, "document 2: .*names no application"),
        (JOB | {"stages": [{"stage_name": "x"}]}, "document 2: stages: .*no stage_id"),
        ({"_id": None, "start_time": 1}, "document 2: .*no _id"),
        ({"_id": "x", "global_specs": {"algorithm_name": ""}}, "document 2: global_specs.algorithm_name"),
    ],
)
def test_a_document_that_cannot_be_is_named(tmp_path: Path, document: dict[str, Any], said: str) -> None:
    (tmp_path / "a.json").write_bytes(lines(APPLICATION, document))
    with pytest.raises(Invalid, match=f"a.json, {said}"):
        read([tmp_path / "a.json"])


def test_a_file_that_is_no_json_is_refused_with_what_to_send(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{broken")
    assert not is_export(tmp_path / "a.json")
    with pytest.raises(Invalid, match="send what mongoexport writes"):
        read([tmp_path / "a.json"])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"$date": "1970-01-01T00:00:01.500Z"}, 1500.0),
        ({"$date": {"$numberLong": "1500"}}, 1500.0),
        ({"$date": 1500}, 1500.0),
        ({"$numberDouble": "-Infinity"}, None),
        ({"$numberDecimal": "1.5"}, 1.5),
        ([{"$oid": "a"}, {"b": {"$numberInt": "1"}}], ["a", {"b": 1}]),
    ],
)
def test_extended_json_becomes_plain(given: Any, found: Any) -> None:
    assert plain(given) == found


@pytest.mark.parametrize(
    "content",
    [
        b'{"_id": "x", "start_time": {"$numberLong": "soon"}}',
        b'{"_id": "x", "start_time": {"$date": "yesterday"}}',
        b'{"_id": "x", "start_time": {"$numberLong": null}}',
        b'{"_id": "\xff"}',
        b"[1, 2]",
        b'{"_id": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"_id": ' + b'{"a": ' * 900 + b"1" + b"}" * 900 + b"}",
    ],
)
def test_what_is_no_document_of_mongodb_is_refused_with_what_to_send(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Invalid, match=r"a\.json.*; send what mongoexport writes"):
        read([tmp_path / "a.json"])


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(lines(APPLICATION, JOB))
    (tmp_path / "a.json.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Invalid, match="send what mongoexport writes"):
        read([tmp_path / "a.json.gz"])


def test_a_document_twice_is_as_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(APPLICATION, JOB))
    (tmp_path / "b.json").write_bytes(lines(APPLICATION, JOB, APPLICATION, JOB))
    assert read([tmp_path / "a.json"]) == read([tmp_path / "b.json"])


def test_numbers_that_json_does_not_have_count_as_not_told(tmp_path: Path) -> None:
    told = json.dumps(JOB | {"rescaling_time_ratio": float("nan")}).encode()
    (tmp_path / "a.json").write_bytes(lines(APPLICATION) + told)
    (tmp_path / "b.json").write_bytes(b"[" + told + b"]")
    for name in ("a.json", "b.json"):
        assert read([tmp_path / name])[0].jobs[0].rescaling_time_ratio == 0.0


@pytest.mark.parametrize("begin", [b"[", b'{"_id": "'])
def test_a_file_that_unfolds_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(mongo, "MAX_ARRAY_BYTES", 1 << 20)
    monkeypatch.setattr(mongo, "MAX_LINE_BYTES", 1 << 20)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(begin + b" " * (2 << 20)))
    with pytest.raises(Invalid, match="more than 1 MiB"):
        read([tmp_path / "a.json.gz"])
