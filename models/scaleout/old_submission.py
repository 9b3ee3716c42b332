"""What the old submitter sends to `POST /submission/submit`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from models.scaleout.old_definitions import Loose, ShortText
from models.scaleout.records import Context

_MEMORY = re.compile(r"(\d{1,9})\s*([kmgt]?)i?b?", re.IGNORECASE)
_MB = {"": 1 / (1 << 20), "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2}
Argument = Annotated[str, Field(max_length=4000)]


class GlobalSpecs(Loose):
    solution_name: Literal["enel", "ellis"] = "enel"
    system_name: Literal["spark", "flink"] = "spark"
    template_version: ShortText = None
    experiment_name: ShortText = None
    algorithm_name: str = Field(min_length=1, max_length=128)
    algorithm_args: list[Argument] = Field(default=[], max_length=1000)
    data_size_MB: float | None = Field(None, ge=0, le=1e12)
    data_characteristics: ShortText = None
    machine_name: ShortText = None
    environment_name: ShortText = None
    min_scale_out: int = Field(1, ge=1, le=10_000)
    max_scale_out: int = Field(64, ge=1, le=10_000)
    max_runtime: float | None = Field(None, gt=0, le=1e9, description="Wanted run time, in seconds.")

    @field_validator("algorithm_args", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return [] if value is None else value
        return [str(item) if isinstance(item, int | float) else item for item in value]

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.max_scale_out < self.min_scale_out:
            raise ValueError(
                f"min_scale_out {self.min_scale_out} is more than max_scale_out {self.max_scale_out}; swap them"
            )
        return self


class OptionalSpecs(Loose):
    hadoop_version: ShortText = None
    spark_version: ShortText = None
    scala_version: ShortText = None
    java_version: ShortText = None

    def versions(self) -> dict[str, str]:
        return {name.removesuffix("_version"): value for name, value in self.model_dump().items() if value}


class Specs(Loose):
    """Of the driver, or of an executor."""

    scale_out: int | None = Field(None, ge=1, le=10_000)
    cores: int | None = Field(None, ge=1, le=1024)
    memory: str | None = Field(None, max_length=32)
    memory_overhead: str | None = Field(None, max_length=32)

    @field_validator("memory", "memory_overhead")
    @classmethod
    def _memory(cls, value: str | None) -> str | None:
        """As Spark takes it, in MB at least."""
        if not value:
            return None
        found = _MEMORY.fullmatch(value.strip())
        if found is None or (megabytes := float(found[1]) * _MB[found[2].lower()]) < 1:
            raise ValueError("is no amount of memory; send e.g. 10240m or 10g")
        return f"{found[1]}{found[2].lower()}" if found[2] and found[2].lower() != "k" else f"{int(megabytes)}m"

    @property
    def memory_mb(self) -> float | None:
        found = _MEMORY.fullmatch(self.memory or "")
        return None if found is None else float(found[1]) * _MB[found[2].lower()]


class TunerConfig(Loose):
    """Of the listener; all of it reaches the application as `spark.customExtraListener.<camelCaseKey>`."""

    model_config = ConfigDict(extra="allow")

    method: ShortText = None
    rest_timeout: float | None = Field(None, gt=0, le=3600, description="Seconds that the listener waits.")
    service: ShortText = None
    port: int | None = Field(None, ge=1, le=65535)
    is_adaptive: bool | None = None
    initial_executors: int | None = Field(None, ge=1, le=10_000)


class Tuner(Loose):
    config: TunerConfig = TunerConfig()


class TemplateValues(Loose):
    """Of the chart that the old submitter filled in; and what it had in its chart.

    Parameters
    ----------
    cluster : where it is submitted; by default the only one that runs Spark.
    image, main_class, main_application_file, spark_conf : of the application, as a SparkApplication has them.
    """

    release_name: ShortText = None
    scale_out_tuner: Tuner = Tuner()
    cluster: ShortText = None
    image: ShortText = None
    main_class: ShortText = None
    main_application_file: str | None = Field(None, max_length=1000)
    spark_conf: Mapping[str, str | int | float | bool] = {}


class OldSubmission(Loose):
    """A run to be made."""

    global_specs: GlobalSpecs
    optional_specs: OptionalSpecs = OptionalSpecs()
    master_specs: Specs = Specs()
    worker_specs: Specs = Specs()
    spark_template_values: TemplateValues = TemplateValues()

    def context(self) -> Context:
        specs, worker = self.global_specs, self.worker_specs
        return Context(
            system=specs.system_name,
            algorithm=specs.algorithm_name,
            experiment=specs.experiment_name or "",
            arguments=tuple(specs.algorithm_args),
            data_size_mb=specs.data_size_MB,
            data_characteristics=specs.data_characteristics or "",
            machine=specs.machine_name or "",
            environment=specs.environment_name or "",
            cores=worker.cores,
            memory_mb=worker.memory_mb,
            versions=self.optional_specs.versions(),
        )
