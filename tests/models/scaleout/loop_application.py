"""A PySpark application whose jobs wait instead of computing, so that its times are the same on a busy machine.

Run by Spark's own Python, with the path of the listener; prints a JSON line with the executors at the end of each job,
and with those that it waited for, at the start and in the middle.
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
    seen, waited_for = [], []
    with module.Listener(spark.sparkContext) as listener:
        for number in range(JOBS):
            # At the start one is left of those that Spark had begun to start; in the middle those are there that Atoll
            # asked for: on a busy machine a JVM takes longer to start than all jobs together.
            if number in (0, JOBS // 2):
                waited_for.append(_wait(lambda: listener.executors, lambda: listener.asked_for))
            frame = spark.range(TASKS, numPartitions=TASKS)
            frame.selectExpr(f"reflect('java.lang.Thread', 'sleep', {TASK_MS}L)").write.format("noop").mode(
                "overwrite"
            ).save()
            # The driver is one of those that Spark counts.
            seen.append(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1)
    spark.stop()
    print(json.dumps({"executors": seen, "waited_for": waited_for}))  # noqa: T201 - what the test reads


def _wait(found: Callable[[], int], wanted: Callable[[], int | None]) -> int | None:
    """Until what is found has been what is wanted for a second: that number; None where it never was."""
    deadline, steady = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < deadline:
        number = found()
        steady = steady + 1 if number == wanted() else 0
        if steady == STEADY:
            return number
        time.sleep(POLL_S)
    return None


if __name__ == "__main__":
    main()
