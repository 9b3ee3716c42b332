"""Made-up runs of made-up algorithms, for tests alone: stage graphs whose times follow a law, with noise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.scaleout.records import Application, Context, JobExecution, Metrics, Stage

ALGORITHMS = ("gbt", "kmeans", "mpc")
SIZES_MB = (100.0, 200.0, 400.0)
SCALE_OUTS = (1, 2, 3, 4)


def made_run(
    algorithm: str = "kmeans", size_mb: float = 200.0, scale_out: int = 2, *, seed: int = 0, jobs: int = 6
) -> Application:
    """A run of so many jobs: a stage that reads, one or two that compute, one that gathers."""
    rng = np.random.default_rng([seed, round(size_mb), scale_out, *algorithm.encode()])
    slow = float(np.exp(0.15 * rng.normal()))
    power = 0.5 + 0.2 * ALGORITHMS.index(algorithm) if algorithm in ALGORITHMS else 0.7
    begin_s = 1_700_000_000.0 + 1000 * seed
    now_s, made = begin_s, []
    for job_id in range(jobs):
        stages: dict[int, Stage] = {}
        ends: dict[int, float] = {}
        count = 2 + job_id % 2
        for at in range(count):
            stage_id = 10 * job_id + at
            parents = (stage_id - 1,) if at == count - 1 or at == 1 else ()
            work = (0.3, 1.0, 0.2)[at] * (1 + 0.1 * job_id * (algorithm == "gbt")) * (2.0 if job_id == 0 else 1.0)
            seconds = slow * work * (size_mb / 100) ** power * (0.2 + 1 / scale_out) * np.exp(0.05 * rng.normal())
            start_s = max((ends[parent] for parent in parents), default=now_s)
            ends[stage_id] = start_s + float(seconds)
            stages[stage_id] = Stage(
                stage_id,
                f"{('read', 'compute', 'gather')[at]} at {algorithm}",
                parents=parents,
                num_tasks=8,
                start_s=start_s,
                end_s=ends[stage_id],
                start_scale_out=scale_out,
                end_scale_out=scale_out,
                rdd_num_partitions=8,
                metrics=Metrics(min(1.0, 0.9 / slow**0.5), 0.1 * slow, 0.5, 0.3, None),
            )
        end_s = max(ends.values()) + 0.05
        made.append(JobExecution(job_id, now_s, end_s, scale_out, scale_out, stages=stages))
        now_s = end_s + 0.1
    context = Context(
        "spark", algorithm, arguments=("--iterations", str(jobs)), data_size_mb=size_mb, machine="made", cores=1
    )
    return Application(
        f"{algorithm}-{size_mb:g}-{scale_out}-{seed}",
        context,
        signature=algorithm,
        start_s=begin_s,
        end_s=now_s,
        start_scale_out=scale_out,
        end_scale_out=scale_out,
        jobs=made,
    )


def made_runs(
    algorithms: Sequence[str] = ALGORITHMS, sizes_mb: Sequence[float] = SIZES_MB, *, repeats: int = 2, jobs: int = 6
) -> list[Application]:
    return [
        made_run(algorithm, size, scale_out, seed=seed, jobs=jobs)
        for algorithm in algorithms
        for size in sizes_mb
        for scale_out in SCALE_OUTS
        for seed in range(repeats)
    ]


def begun(run: Application, finished: int) -> Application:
    """The run when so many of its jobs have ended."""
    return replace(run, end_s=None, jobs=list(run.jobs)[:finished])
