"""One application twice: by a real `spark-submit` of the local runner, and as a SparkApplication of the stand-in."""

import json
import shutil
from pathlib import Path

from common.settings import CHECKOUT
from common.submission.records import Package, Submission
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.runner import LocalRunner
from common.submission.runners.spark.config import SparkConfig
from common.submission.runners.spark.manifest import application
from common.submission.spec import TaskSpec
from common.submission.states import TaskState
from tests.common.submission.runners.kubernetes.tasks import (
    collected,
    known_of,
    package_of,
    spec_of,
    submission_of,
    wait,
)
from tests.support.backends import missing
from tests.support.k8s_standin import complaints

SPARK = CHECKOUT / ".venv" / "spark" / "bin"
PROGRAM = """\
import json, os, sys
from pyspark.sql import SparkSession, functions

spark = SparkSession.builder.getOrCreate()
table = spark.read.csv(os.environ["ATOLL_DATASET"], header=True, inferSchema=True)
means = table.groupBy("kind").agg(functions.avg("size").alias("mean")).collect()
conf = spark.sparkContext.getConf()
told = [conf.get(name) for name in ("spark.customExtraListener.restTimeout", "spark.sql.shuffle.partitions")]
print("told:", *told, *sys.argv[1:])
with open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "metrics.json"), "w") as file:
    json.dump({row["kind"]: row["mean"] for row in means}, file)
spark.stop()
"""
# A quarter of a minute on an idle machine.
_PATIENCE_S = 240
DATA = "kind,size\na,1\na,3\nb,10\n"


def _spec(cluster: str) -> TaskSpec:
    spark = {
        "executors": 2,
        "min_executors": 1,
        "max_executors": 4,
        "arguments": ["--note", "it's $(fine)"],
        "conf": {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"},
        "listener": {"rest_timeout": 500},
    }
    return spec_of(cluster=cluster, dataset="kinds", spark=spark)


def _package(task: Submission, runner: LocalRunner) -> Package:
    return package_of(task, runner.config, {"main.py": PROGRAM, "datasets/kinds.csv": DATA})


def test_an_application_is_run_by_a_real_spark_submit_on_this_machine(tmp_path: Path) -> None:
    if not (SPARK / "spark-submit").exists():
        missing("there is no Spark: make .venv/.setup-spark installs it, into an environment of its own")
    if shutil.which("java") is None:
        missing("Java is not installed, which Spark needs: 17 or later")
    config = LocalConfig(
        name="local",
        folder=str(tmp_path / "tasks"),
        spark_submit=str(SPARK / "spark-submit"),
        python=str(SPARK / "python"),
        environment={"SPARK_LOCAL_IP": "127.0.0.1"},
    )
    runner = LocalRunner(config)
    task = submission_of(_spec("local"))
    runner.check(task.spec)
    runner.submit(task, _package(task, runner))
    try:
        seen = wait(runner, known_of(task), _PATIENCE_S)
    finally:
        runner.cancel(known_of(task))
    files = collected(runner, known_of(task))
    log = files["task.log"].decode()
    assert seen.state is TaskState.SUCCEEDED, log[-3000:]
    assert json.loads(files["output/metrics.json"]) == {"a": 2.0, "b": 10.0}
    assert "told: 500 2 --note it's $(fine)" in log
    assert "atoll: means nothing on one machine: min_executors, max_executors" in log


def test_the_same_application_fits_the_operators_schema_strictly(tmp_path: Path) -> None:
    config = SparkConfig(name="spark", default_image="spark:4.0.0", claim="atoll-share", share="/mnt/atoll")
    made = application(submission_of(_spec("spark")), config)
    assert complaints([made], tmp_path) == []
    assert made["spec"]["sparkConf"]["spark.customExtraListener.restTimeout"] == "500"
    assert made["spec"]["dynamicAllocation"]["maxExecutors"] == 4
