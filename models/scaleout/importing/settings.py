"""A run's context from the properties of its Spark application. Pure.

What the application was submitted with stands under `spark.customExtraListener.<camelCaseKey>`, as for the listener;
the rest is what Spark itself was told. Keys are compared without case and underscores: `dataSizeMB`, `data_size_MB` and
`datasizemb` are the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from models.scaleout.records import Application, Context

PREFIX = "spark.customExtraListener."
_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?\s*", re.IGNORECASE)
_MB = {"k": 1 / 1024, "": 1 / 1024 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2, "p": 1024.0**3}


@dataclass(frozen=True)
class Properties:
    """Spark's properties, with Atoll's own looked up by any spelling of their names."""

    spark: Mapping[str, str] = field(default_factory=dict)

    def own(self, name: str) -> str:
        """What Atoll's property says; empty where it is not there."""
        wanted = _bare(name)
        for key, value in self.spark.items():
            if key.startswith(PREFIX) and _bare(key.removeprefix(PREFIX)) == wanted:
                return value
        return ""

    def number(self, *names: str) -> float | None:
        """The first of Atoll's or Spark's properties that is a number."""
        for name in names:
            text = self.spark.get(name, "") if name.startswith("spark.") else self.own(name)
            try:
                found = float(text)
            except ValueError:
                continue
            if 0 <= found < float("inf"):
                return found
        return None


def context_of(properties: Properties, app_name: str, versions: Mapping[str, str]) -> Context:
    cores = properties.number("spark.executor.cores")
    return Context(
        system=properties.own("system_name") or "spark",
        algorithm=properties.own("algorithm_name") or app_name,
        experiment=properties.own("experiment_name"),
        arguments=_arguments(properties.own("algorithm_args")),
        data_size_mb=properties.number("data_size_MB"),
        data_characteristics=properties.own("data_characteristics"),
        machine=properties.own("machine_name"),
        environment=properties.own("environment_name"),
        cores=None if cores is None else int(cores),
        memory_mb=memory_mb(properties.spark.get("spark.executor.memory", "")),
        versions=versions,
    )


def limits_of(properties: Properties) -> tuple[int, int, float | None]:
    """Smallest and largest scale-out, and the wanted run time in seconds."""
    lowest = properties.number("min_scale_out", "min_executors", "spark.dynamicAllocation.minExecutors")
    highest = properties.number("max_scale_out", "max_executors", "spark.dynamicAllocation.maxExecutors")
    low, high = max(1, int(lowest or 0)), int(highest or 0)
    return low, max(low, high) if high else max(low, _field("max_scale_out")), properties.number("max_runtime") or None


def memory_mb(text: str) -> float | None:
    """Spark's sizes, such as `10240m` or `4g`; None where it is none."""
    found = _MEMORY.fullmatch(text)
    return None if found is None else float(found[1]) * _MB[found[2].lower()]


def _field(name: str) -> int:
    default = Application.__dataclass_fields__[name].default
    return default if isinstance(default, int) else 1


def _arguments(text: str) -> tuple[str, ...]:
    """A JSON list, or words."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return tuple(text.split())
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),)


def _bare(name: str) -> str:
    return name.replace("_", "").replace(".", "").lower()
