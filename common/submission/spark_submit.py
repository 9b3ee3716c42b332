"""`spark-submit` on one machine, for a task with `spark` on a cluster that is no Spark of its own. Pure."""

import json
import re
from collections.abc import Sequence

from common.submission.config import ClusterConfig
from common.submission.spec import Scalar, TaskSpec

# Executors are threads of the one driver: there are none to add or remove.
_NOT_HERE = re.compile(r"spark\.(dynamicAllocation\.|executor\.instances$|master$|submit\.deployMode$|kubernetes\.)")


def submit_words(spec: TaskSpec, config: ClusterConfig, *, python: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The call of `spark-submit`, with as many threads as all executors have cores.

    Parameters
    ----------
    more : arguments of the application, after its own.
    """
    spark = spec.spark
    if spark is None:
        raise ValueError("not a Spark application")
    cores = spec.cpus or spark.executors * spark.executor_cores
    conf = {name: value for name, value in spark.conf.items() if not _NOT_HERE.match(name)}
    conf |= {f"spark.customExtraListener.{camel_case(name)}": text(value) for name, value in spark.listener.items()}
    if spark.main_class is None:
        conf.setdefault("spark.pyspark.python", python)
    words = [str(getattr(config, "spark_submit", "spark-submit")), "--master", f"local[{cores}]", "--name", spec.name]
    words += ["--driver-memory", spark.driver_memory]
    if spark.main_class is not None:
        words += ["--class", spark.main_class]
    for name, value in conf.items():
        words += ["--conf", f"{name}={value}"]
    return (*words, spec.entry_point, *spark.arguments, *more)


def left_out(spec: TaskSpec) -> tuple[str, ...]:
    """The settings of the application that mean nothing on one machine, for a line in the log."""
    if spec.spark is None:
        return ()
    dynamic = [name for name in ("min_executors", "max_executors") if getattr(spec.spark, name) is not None]
    return (*dynamic, *(name for name in spec.spark.conf if _NOT_HERE.match(name)))


def camel_case(name: str) -> str:
    """`poll_interval_s` as `pollIntervalS`."""
    first, *others = re.split(r"[_-]+", name)
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def text(value: Scalar) -> str:
    """As a property holds it."""
    return value if isinstance(value, str) else json.dumps(value)
