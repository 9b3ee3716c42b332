"""One Spark application: an iterative algorithm on generated data, run by `spark-submit` or Python with pyspark.

Alone in its file, and importing nothing of Atoll: Spark's own Python runs it.
"""

import argparse
import time

from pyspark.ml import Pipeline
from pyspark.ml.classification import GBTClassifier, LogisticRegression, MultilayerPerceptronClassifier
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

ALGORITHMS = ("gbt", "logisticregression", "kmeans", "mpc")


def generated(spark: SparkSession, rows: int, columns: int, partitions: int, seed: int) -> DataFrame:
    """`rows` points of `columns` features and a label of three classes that depends on them."""
    frame = spark.range(rows, numPartitions=partitions)
    features = [f"x{number}" for number in range(columns)]
    for number, name in enumerate(features):
        frame = frame.withColumn(name, F.randn(seed + number))
    score = sum((F.col(name) * (0.5 + number) for number, name in enumerate(features[:4])), F.randn(seed + 100))
    frame = frame.withColumn("score", score)
    frame = frame.withColumn("label", F.when(F.col("score") > 1, 2.0).when(F.col("score") > -1, 1.0).otherwise(0.0))
    return VectorAssembler(inputCols=features, outputCol="features").transform(frame).select("features", "label")


def fit(algorithm: str, frame: DataFrame, columns: int, iterations: int, seed: int) -> None:
    if algorithm == "gbt":
        frame = frame.withColumn("label", (F.col("label") > 0).cast("double"))
        GBTClassifier(maxIter=iterations, maxDepth=4, seed=seed).fit(frame)
    elif algorithm == "logisticregression":
        LogisticRegression(maxIter=iterations, tol=0.0, regParam=0.01).fit(frame)
    elif algorithm == "kmeans":
        KMeans(k=8, maxIter=iterations, tol=0.0, seed=seed, initMode="random").fit(frame)
    else:
        layers = [columns, 12, 3]
        MultilayerPerceptronClassifier(maxIter=iterations, tol=0.0, layers=layers, seed=seed).fit(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithm", choices=ALGORITHMS)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-after", type=float, help="seconds after which one executor is killed")
    options = parser.parse_args()
    spark = SparkSession.builder.appName(options.algorithm).getOrCreate()
    if options.kill_after is not None:
        _kill_later(spark, options.kill_after)
    began_s = time.monotonic()
    frame = generated(spark, options.rows, options.columns, options.partitions, options.seed).cache()
    frame.count()
    fit(options.algorithm, frame, options.columns, options.iterations, options.seed)
    print(f"{options.algorithm} {options.rows} rows: {time.monotonic() - began_s:.1f} s")
    spark.stop()


def _kill_later(spark: SparkSession, after_s: float) -> None:
    """Kill the executor with the highest number, as a failing node would; the cluster replaces it."""
    import os
    import signal
    import subprocess
    import threading

    def kill() -> None:
        found = subprocess.run(["pgrep", "-f", "CoarseGrainedExecutorBackend"], capture_output=True, text=True)
        mine = [int(pid) for pid in found.stdout.split() if _belongs(int(pid), spark.sparkContext.applicationId)]
        if mine:
            os.kill(max(mine), signal.SIGKILL)

    timer = threading.Timer(after_s, kill)
    timer.daemon = True
    timer.start()


def _belongs(pid: int, application_id: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return application_id.encode() in file.read()
    except OSError:
        return False


if __name__ == "__main__":
    main()
