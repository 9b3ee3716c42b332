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

# Three tasks at once: two executors take two rounds, and so cost more than one or three.
JOBS, TASKS, TASK_MS = 8, 3, 2000
PATIENCE_S, POLL_S, STEADY = 180.0, 0.2, 5


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
            # At the start one is left of those that Spark had begun to start; in the middle those are there that Atoll
            # asked for: on a busy machine a JVM takes longer to start than all jobs together.
            if number in (0, JOBS // 2):
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
    """Until it has been so for a second."""
    deadline, seen = time.monotonic() + PATIENCE_S, 0
    while seen < STEADY and time.monotonic() < deadline:
        seen = seen + 1 if until() else 0
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
