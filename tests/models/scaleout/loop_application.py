"""A PySpark application whose jobs wait instead of computing, so that its times are the same on a busy machine.

Run by Spark's own Python, with the path of the listener; prints a JSON line with the executors at the end of each job.
"""

import importlib.util
import json
import logging
import sys
from pathlib import Path

JOBS, TASKS, TASK_MS = 10, 6, 1000


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
    with module.Listener(spark.sparkContext):
        for _ in range(JOBS):
            frame = spark.range(TASKS, numPartitions=TASKS)
            frame.selectExpr(f"reflect('java.lang.Thread', 'sleep', {TASK_MS}L)").write.format("noop").mode(
                "overwrite"
            ).save()
            # The driver is one of those that Spark counts.
            seen.append(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1)
    spark.stop()
    print(json.dumps({"executors": seen}))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
