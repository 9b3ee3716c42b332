"""A Spark application with executors of its own on this machine, which computes one run after the other.

    .venv/spark/bin/python -m benchmarks.spark.cluster --executors 2 --logs FOLDER

A run comes as a line of JSON (`application.Run`) on standard input; when it began and ended goes to standard output.
Runs follow one another on the same executors: starting JVMs takes longer than the runs, and tells nothing of them.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.spark.application import ALGORITHMS, Run, compute
from benchmarks.spark.quota import Quota

# Of a core, for each executor.
CPUS = 0.3
_EXECUTOR_MB, _WORKER_MB = 700, 1100
# Small JVMs that start fast: no second compiler, no collector threads.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_REGISTERED_S = 180.0
_WARM_ROWS = 20_000


def session(executors: int, logs: Path, name: str = "traces") -> SparkSession:
    """With all its executors there."""
    settings = {
        "spark.master": f"local-cluster[{executors},1,{_WORKER_MB}]",
        "spark.executor.memory": f"{_EXECUTOR_MB}m",
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": logs.resolve().as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        # What is not compressed can be followed line by line while it is written.
        "spark.eventLog.compress": "false",
    }
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-memory 1g --driver-java-options '{_JAVA}' pyspark-shell"
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    deadline = time.monotonic() + _REGISTERED_S
    # The driver is one of those that Spark counts.
    while spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() <= executors:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{executors} executors did not start within {_REGISTERED_S:.0f} s")
        time.sleep(0.1)
    return spark


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    options = parser.parse_args()
    spark = session(options.executors, options.logs)
    application_id = spark.sparkContext.applicationId
    for algorithm in ALGORITHMS:
        compute(spark, Run(algorithm, _WARM_ROWS, iterations=2))
    quota = Quota(application_id, CPUS)
    with quota:
        _tell(application_id=application_id)
        for line in sys.stdin:
            began_s = time.time()
            compute(spark, Run(**json.loads(line)))
            _tell(start_s=began_s, end_s=time.time())
    spark.stop()
    quota.close()


def _tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
