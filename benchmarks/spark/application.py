"""One Spark application: an iterative algorithm on generated data.

Needs nothing of Atoll's environment, since Spark's own Python runs it; alone as well:
`python -m benchmarks.spark.application kmeans --rows 100000`.
"""

import argparse
import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass

from pyspark.ml.classification import GBTClassifier, LogisticRegression, MultilayerPerceptronClassifier
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everyone calls it

from benchmarks.spark.processes import executors_of

ALGORITHMS = ("gbt", "logisticregression", "kmeans", "mpc")


@dataclass(frozen=True)
class Run:
    """What one application computes.

    Parameters
    ----------
    kill_after_s : seconds after which one executor is killed, as on a failing node; None for no kill.
    """

    algorithm: str
    rows: int
    columns: int = 10
    iterations: int = 5
    partitions: int = 8
    seed: int = 1
    kill_after_s: float | None = None

    @property
    def data_size_mb(self) -> float:
        return self.rows * self.columns * 8 / 1e6


def compute(spark: SparkSession, run: Run) -> float:
    """Run it and return the seconds it took; the session is left open."""
    if run.kill_after_s is not None:
        _kill_later(spark.sparkContext.applicationId, run.kill_after_s)
    began_s = time.monotonic()
    frame = generated(spark, run).cache()
    frame.count()
    fit(frame, run)
    frame.unpersist()
    return time.monotonic() - began_s


def generated(spark: SparkSession, run: Run) -> DataFrame:
    """`rows` points of `columns` features and a label of three classes that depends on them."""
    frame = spark.range(run.rows, numPartitions=run.partitions)
    features = [f"x{number}" for number in range(run.columns)]
    for number, name in enumerate(features):
        frame = frame.withColumn(name, F.randn(run.seed + number))
    score = sum((F.col(name) * (0.5 + number) for number, name in enumerate(features[:4])), F.randn(run.seed + 100))
    frame = frame.withColumn("score", score)
    frame = frame.withColumn("label", F.when(F.col("score") > 1, 2.0).when(F.col("score") > -1, 1.0).otherwise(0.0))
    return VectorAssembler(inputCols=features, outputCol="features").transform(frame).select("features", "label")


def fit(frame: DataFrame, run: Run) -> None:
    if run.algorithm == "gbt":
        frame = frame.withColumn("label", (F.col("label") > 0).cast("double"))
        GBTClassifier(maxIter=run.iterations, maxDepth=4, seed=run.seed).fit(frame)
    elif run.algorithm == "logisticregression":
        LogisticRegression(maxIter=run.iterations, tol=0.0, regParam=0.01).fit(frame)
    elif run.algorithm == "kmeans":
        KMeans(k=8, maxIter=run.iterations, tol=0.0, seed=run.seed, initMode="random").fit(frame)
    else:
        layers = [run.columns, 12, 3]
        MultilayerPerceptronClassifier(maxIter=run.iterations, tol=0.0, layers=layers, seed=run.seed).fit(frame)


def _kill_later(application_id: str, after_s: float) -> None:
    """Kill the newest executor of this application; the cluster replaces it."""

    def kill() -> None:
        executors = executors_of(application_id)
        if executors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(executors), signal.SIGKILL)

    timer = threading.Timer(after_s, kill)
    timer.daemon = True
    timer.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithm", choices=ALGORITHMS)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-after-s", type=float)
    run = Run(**vars(parser.parse_args()))
    spark = SparkSession.builder.appName(run.algorithm).getOrCreate()
    print(f"{run.algorithm} {run.rows} rows: {compute(spark, run):.1f} s")
    spark.stop()


if __name__ == "__main__":
    main()
