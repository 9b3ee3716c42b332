"""A PySpark application whose jobs wait instead of computing, so that its times are the same on a busy machine.

Run by Spark's own Python, with the path of the listener; prints a JSON line with the executors at the end of each job.
"""

import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

JOBS, TASKS, TASK_MS = 8, 6, 1000
PATIENCE_S = 180.0


def main() -> None:
    from pyspark.sql import SparkSession

    logging.basicConfig(level=logging.INFO)
    spec = importlib.util.spec_from_file_location("spark_listener", Path(sys.argv[1]))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    spark = SparkSession.builder.appName("loop").getOrCreate()
    seen = []
    with module.Listener(spark.sparkContext) as listener:
        for number in range(JOBS):
            if number == JOBS // 2:
                _wait(lambda: listener.executors == listener.asked_for)
            frame = spark.range(TASKS, numPartitions=TASKS)
            frame.selectExpr(f"reflect('java.lang.Thread', 'sleep', {TASK_MS}L)").write.format("noop").mode(
                "overwrite"
            ).save()
            # The driver is one of those that Spark counts.
            seen.append(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1)
    spark.stop()
    print(json.dumps({"executors": seen}))  # noqa: T201 - what the test reads


def _wait(until: Callable[[], bool]) -> None:
    """For executors that were asked for: on a busy machine a JVM takes longer to start than all jobs together."""
    deadline = time.monotonic() + PATIENCE_S
    while not until() and time.monotonic() < deadline:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
