"""The published data that scale-out is measured on, as records; it lies beside the project, not in it."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.report import NotMeasured
from models.scaleout.records import Application, Context, JobExecution

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "scaleout"


@cache
def table(name: str) -> pd.DataFrame:
    """
    Raises
    ------
    NotMeasured
        It is not there.
    """
    path = FOLDER / f"{name}.csv.gz"
    if not path.is_file():
        raise NotMeasured(f"{name}.csv.gz is not there (expected in ../shared/data/scaleout)")
    with gzip.open(path, "rt") as text:
        return pd.read_csv(text)


@dataclass(frozen=True)
class Experiment:
    """One algorithm of C3O as its publication took it.

    Attributes
    ----------
    machine : the one type whose runs were taken; above : the instances that were left out, up to this.
    varied : what a run's context is; fixed : what runs of a local context have in common.
    """

    title: str
    machine: str
    varied: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    above: int = 0


# Will et al., "C3O: Collaborative Cluster Configuration Optimization for Distributed Data Processing in Public Clouds",
# IC2E 2021, and the notebooks of its repository.
EXPERIMENTS = {
    "sort": Experiment("Sort", "c4.2xlarge", ("data_size_MB",)),
    "grep": Experiment("Grep", "m4.2xlarge", ("data_size_MB", "p_occurrence"), ("p_occurrence",)),
    "sgd": Experiment("SGD", "r4.2xlarge", ("observations", "features", "iterations"), ("iterations",), above=2),
    "kmeans": Experiment("K-Means", "r4.2xlarge", ("observations", "features", "k"), ("k",), above=2),
    "pagerank": Experiment(
        "PageRank",
        "r4.2xlarge",
        ("links", "pages", "convergence_criterion"),
        ("pages", "convergence_criterion"),
    ),
}


def c3o(algorithm: str, *, everything: bool = False, fewest: int | None = None) -> pd.DataFrame:
    """Medians of the repeated runs of an algorithm: instance_count, runtime_s, slots, memory, data_size_MB, parameters.

    Parameters
    ----------
    everything : all machine types and parameters, not only those of the publication.
    fewest : instances; by default as in the publication.
    """
    experiment, runs = EXPERIMENTS[algorithm], table("c3o")
    runs = runs[runs.algorithm == algorithm].reset_index(drop=True)
    parameters = pd.DataFrame([json.loads(text) for text in runs.params]).dropna(axis="columns")
    runs = runs.drop(columns="params").join(parameters)
    least = fewest if fewest is not None else experiment.above + 1
    runs = runs[runs.instance_count >= least]
    if not everything:
        runs = runs[runs.machine_type == experiment.machine]
        if algorithm == "sort":
            runs = runs[runs.line_length == 100]
    by = ["machine_type", "instance_count", "data_size_MB", *parameters.columns]
    kept = dict.fromkeys(("slots", "memory"), "first")
    return (
        runs.groupby(by, as_index=False)
        .agg({**kept, "gross_runtime": "median"})
        .rename(columns={"gross_runtime": "runtime_s"})
    )


def applications(algorithm: str, rows: pd.DataFrame) -> list[Application]:
    """Runs of C3O as records: what users would have told Atoll of them."""
    told = [name for name in EXPERIMENTS[algorithm].varied if name != "data_size_MB"]
    found = []
    for place, row in enumerate(rows.to_dict("records")):
        instances = int(row["instance_count"])
        context = Context(
            system="spark",
            algorithm=algorithm,
            arguments=tuple(f"--{name}={row[name]:g}" for name in told),
            data_size_mb=float(row["data_size_MB"]),
            machine=str(row["machine_type"]),
            cores=int(row["slots"] / instances),
            memory_mb=float(row["memory"] / instances),
        )
        found.append(
            Application(
                execution_id=f"{algorithm}-{place}",
                context=context,
                start_s=float(place * 10_000),
                end_s=float(place * 10_000 + row["runtime_s"]),
                start_scale_out=instances,
                end_scale_out=instances,
            )
        )
    return found


def adjusted_runs() -> Iterator[tuple[tuple[str, str], list[tuple[Application, str]]]]:
    """The 65 runs of each algorithm and method with their phases (profiling, normal, anomalous), in their order."""
    jobs = table("enel_ellis_jobs")
    for (method, algorithm), group in jobs.groupby(["method", "algorithm"]):
        runs = []
        for number, rows in group.groupby("run"):
            runs.append((_application(str(method), str(algorithm), int(str(number)), rows), str(rows.phase.iloc[0])))
        yield (str(method), str(algorithm)), runs


def _application(method: str, algorithm: str, number: int, rows: pd.DataFrame) -> Application:
    rows = rows.sort_values("job_id")
    begin, end = (_seconds(rows[name]) for name in ("start", "end"))
    jobs = [
        JobExecution(int(row["job_id"]), float(first), float(last), _whole(row["scale_out"]), _whole(row["scale_out"]))
        for row, first, last in zip(rows.to_dict("records"), begin, end, strict=True)
    ]
    return Application(
        execution_id=f"{method}-{algorithm}-{number}",
        context=Context(system="spark", algorithm=algorithm, experiment=method),
        signature=f"{method}-{algorithm}",
        solution=method,
        target_s=60.0 * float(rows.target_min.iloc[0]),
        start_s=float(begin.min()),
        end_s=float(end.max()),
        jobs=tuple(jobs),
    )


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, float) and np.isfinite(value) else None


def _seconds(column: "pd.Series[str]") -> NDArray[np.float64]:
    epoch = pd.Timestamp(0)
    seconds = (pd.to_datetime(column, format="ISO8601") - epoch).dt.total_seconds()
    return np.asarray(seconds, np.float64)
