"""What is known of Spark applications: their runs, the jobs of each run, the stages of each job. Plain values.

Times are seconds since 1970 (UTC), sizes are MB where a name says so, else bytes; ratios lie between 0 and 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Metrics:
    """What a stage's tasks did, averaged over their time; None where it was not told."""

    cpu_utilization: float | None = None
    gc_time_ratio: float | None = None
    shuffle_rw_ratio: float | None = None
    data_io_ratio: float | None = None
    memory_spill_ratio: float | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(cls.__dataclass_fields__)

    def values(self) -> tuple[float | None, ...]:
        return tuple(getattr(self, name) for name in self.names())


@dataclass(frozen=True)
class Stage:
    """One attempt of a stage.

    Parameters
    ----------
    start_s, end_s : None for a stage that was skipped, its output being there from before.
    rescaling_time_ratio : share of its time in which executors were added or removed.
    """

    stage_id: int
    name: str
    attempt: int = 0
    parents: tuple[int, ...] = ()
    num_tasks: int = 0
    start_s: float | None = None
    end_s: float | None = None
    start_scale_out: int | None = None
    end_scale_out: int | None = None
    rescaling_time_ratio: float = 0.0
    failure_reason: str | None = None
    rdd_num_partitions: int = 0
    rdd_num_cached_partitions: int = 0
    rdd_mem_size: int = 0
    rdd_disk_size: int = 0
    metrics: Metrics = Metrics()

    @property
    def runtime_s(self) -> float | None:
        return None if self.start_s is None or self.end_s is None else max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True)
class JobExecution:
    """One Spark job of a run."""

    job_id: int
    start_s: float | None = None
    end_s: float | None = None
    start_scale_out: int | None = None
    end_scale_out: int | None = None
    predicted_scale_out: int | None = None
    rescaling_time_ratio: float = 0.0
    stages: Mapping[int, Stage] = field(default_factory=dict)

    @property
    def runtime_s(self) -> float | None:
        return None if self.start_s is None or self.end_s is None else max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True)
class Context:
    """What a run's time depends on beside its scale-out.

    Parameters
    ----------
    arguments : of the algorithm, as they were given.
    """

    system: str
    algorithm: str
    experiment: str = ""
    arguments: tuple[str, ...] = ()
    data_size_mb: float | None = None
    data_characteristics: str = ""
    machine: str = ""
    environment: str = ""
    cores: int | None = None
    memory_mb: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Application:
    """One run of an algorithm.

    Parameters
    ----------
    execution_id : Atoll's own id of the run; `application_id` is Spark's.
    signature : of what is run; runs with the same one can be compared job by job.
    solution : who adjusts it, `enel` (the graph model) or `ellis`.
    target_s : the run time that is wanted.
    """

    execution_id: str
    context: Context
    application_id: str = ""
    attempt_id: str = ""
    signature: str = ""
    solution: str = "enel"
    min_scale_out: int = 1
    max_scale_out: int = 64
    target_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    start_scale_out: int | None = None
    end_scale_out: int | None = None
    jobs: Sequence[JobExecution] = ()

    @property
    def runtime_s(self) -> float | None:
        return None if self.start_s is None or self.end_s is None else max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True)
class Forecast:
    """A predicted time.

    Parameters
    ----------
    median_s : half of such runs take less.
    low80_s, high80_s, low90_s, high90_s : between which 80 and 90 % of such runs lie.
    model : the name of what predicted it.
    """

    median_s: float
    low80_s: float
    high80_s: float
    low90_s: float
    high90_s: float
    model: str
