"""Make traces of event logs and the list of runs beside them (`batch.py`).

.venv/bin/python -m benchmarks.spark.distil --logs build/spark-logs --out models/scaleout/traces/runs.jsonl.gz
"""

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.scaleout.importing.eventlog import of_lines
from models.scaleout.importing.lines import files_of, lines
from models.scaleout.records import Application, Context, JobExecution, Stage
from models.scaleout.rows import told_of
from models.scaleout.signature import signature_of

MACHINE = "container of 0.3 cores"


def runs_of(log: Application, runs: Sequence[Mapping[str, Any]]) -> Iterator[Application]:
    """What each of the runs did in an application; a run without a job is left out.

    Parameters
    ----------
    runs : lines of `runs.jsonl`.
    """
    for run in runs:
        jobs = [
            job
            for job in log.jobs
            if job.start_s is not None and job.end_s is not None and run["start_s"] <= job.start_s <= run["end_s"]
        ]
        if jobs:
            context = _context(log.context, run)
            yield replace(
                log,
                execution_id=run["name"],
                context=context,
                signature=signature_of(context),
                min_scale_out=1,
                max_scale_out=4,
                start_s=run["start_s"],
                end_s=run["end_s"],
                start_scale_out=jobs[0].start_scale_out,
                end_scale_out=jobs[-1].end_scale_out,
                jobs=_renumbered(jobs),
            )


def _context(of_log: Context, run: Mapping[str, Any]) -> Context:
    return replace(
        of_log,
        algorithm=run["algorithm"],
        experiment="undisturbed" if run["kill_after_s"] is None else "killed",
        arguments=(str(run["rows"]), str(run["columns"]), str(run["iterations"])),
        data_size_mb=run["rows"] * run["columns"] * 8 / 1e6,
        data_characteristics=f"{run['columns']} normal features, {run['partitions']} partitions",
        machine=MACHINE,
        environment="local-cluster",
        cores=1,
    )


def _renumbered(jobs: Sequence[JobExecution]) -> tuple[JobExecution, ...]:
    """Jobs and stages counted from 0, as in an application that does nothing else."""
    stages = sorted({stage_id for job in jobs for stage_id in job.stages})
    numbers = {stage_id: number for number, stage_id in enumerate(stages)}

    def renumber(stage: Stage) -> Stage:
        parents = tuple(numbers[parent] for parent in stage.parents if parent in numbers)
        return replace(stage, stage_id=numbers[stage.stage_id], parents=parents)

    return tuple(
        replace(job, job_id=number, stages={numbers[old]: renumber(stage) for old, stage in job.stages.items()})
        for number, job in enumerate(jobs)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    runs = [json.loads(line) for line in (options.logs / "runs.jsonl").read_text().splitlines()]
    found = []
    for path in options.logs.iterdir():
        of_this = [run for run in runs if path.name.startswith(run["application_id"])]
        if of_this and files_of(path):
            log = of_lines(lines(path), path.name).application()
            found += list(runs_of(log, of_this))
    found.sort(key=lambda application: application.start_s or 0.0)
    # Without a time of writing in it: the same runs give the same file.
    with options.out.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        for application in found:
            told, jobs = told_of(application)
            file.write(
                json.dumps(_rounded({"application": told, "jobs": jobs}), separators=(",", ":")).encode() + b"\n"
            )
    killed = sum(application.context.experiment == "killed" for application in found)
    print(f"{len(found)} runs ({killed} with a killed executor), {options.out.stat().st_size / 1e3:.0f} kB")


def _rounded(told: Any) -> Any:
    """Times to milliseconds and ratios to four digits: more is noise."""
    if isinstance(told, float):
        return round(told, 4)
    if isinstance(told, dict):
        return {key: _rounded(value) for key, value in told.items()}
    return [_rounded(value) for value in told] if isinstance(told, list) else told


if __name__ == "__main__":
    main()
