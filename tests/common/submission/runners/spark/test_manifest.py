from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.errors import Invalid
from common.submission.runners.kubernetes.manifest import dumped
from common.submission.runners.spark.config import SparkConfig
from common.submission.runners.spark.manifest import application
from common.submission.runners.spark.runner import SparkRunner
from common.submission.spec import TaskSpec
from tests.common.submission.runners.kubernetes.tasks import spec_of, submission_of
from tests.support.k8s_standin import complaints

CONFIG = SparkConfig.model_validate(
    {
        "name": "spark",
        "default_image": "registry.example.org/spark-py:3.5.3",
        "claim": "atoll-share",
        "share": "/mnt/atoll",
        "service_account": "spark",
        "image_pull_secrets": ["registry"],
        "pools": {"cpu": {}, "gpu": {"node_selector": {"pool": "gpu"}, "priority_class": "batch"}},
        "conf": {"spark.eventLog.enabled": "true", "spark.sql.shuffle.partitions": "200"},
    }
)
BARE = SparkConfig(name="spark", default_image="spark:3.5.3")
NASTY = "x'; rm -rf / #`id`$(ATOLL_TASK_ID)$$ \"\\ {{}} ü: - & * ! | > % @"
FULL: dict[str, Any] = {
    "main_class": None,
    "version": "3.5.1",
    "arguments": ("--input", NASTY),
    "conf": {"spark.sql.shuffle.partitions": "8", "spark.app.note": NASTY},
    "executors": 2,
    "min_executors": 1,
    "max_executors": 8,
    "driver_cores": 2,
    "driver_memory": "2g",
    "executor_cores": 4,
    "executor_memory": "10240m",
    "memory_overhead": "1024m",
    "listener": {"rest_timeout": 500, "is_adaptive": True, "service": "http://atoll:7071", "port": "7071"},
}


def of(config: SparkConfig = CONFIG, spark: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    task = submission_of(spark_spec(spark, **fields))
    return application(task, config)


def spark_spec(spark: dict[str, Any] | None = None, **fields: Any) -> TaskSpec:
    return spec_of(**{"cluster": "spark", "spark": spark or {}, **fields})


def test_applications_of_nasty_specs_fit_the_operators_own_schema_strictly(tmp_path: Path) -> None:
    made = [
        of(),
        of(spark=FULL, time_limit_s=60, requeue=True, partition="gpu", gpus=1, labels={"a": NASTY}),
        of(spark=FULL, environment={"NASTY": NASTY}, parameters={"p": NASTY}, as_arguments=True, dataset="d"),
        of(spark={"main_class": "org.example.Main", "application_file": "local:///opt/app.jar"}),
        of(BARE, spark={"application_file": "s3a://bucket/app.py"}, name="x" * 100, account="y" * 255),
    ]
    assert complaints(made, tmp_path) == []


def test_properties_of_the_listener_are_passed_on_in_camel_case() -> None:
    conf = of(spark=FULL)["spec"]["sparkConf"]
    assert {name: value for name, value in conf.items() if name.startswith("spark.customExtraListener.")} == {
        "spark.customExtraListener.restTimeout": "500",
        "spark.customExtraListener.isAdaptive": "true",
        "spark.customExtraListener.service": "http://atoll:7071",
        "spark.customExtraListener.port": "7071",
    }


def test_settings_of_an_application_come_over_those_of_the_cluster() -> None:
    conf = of(spark=FULL)["spec"]["sparkConf"]
    assert (conf["spark.eventLog.enabled"], conf["spark.sql.shuffle.partitions"]) == ("true", "8")


def test_dynamic_allocation_is_on_where_bounds_are_given() -> None:
    found = of(spark=FULL)["spec"]["dynamicAllocation"]
    assert found == {
        "enabled": True,
        "initialExecutors": 2,
        "minExecutors": 1,
        "maxExecutors": 8,
        "shuffleTrackingEnabled": True,
    }
    assert "dynamicAllocation" not in of(spark={"executors": 4})["spec"]


def test_driver_and_executors_get_what_was_asked_for() -> None:
    spec = of(spark=FULL, gpus=1)["spec"]
    driver, executor = spec["driver"], spec["executor"]
    assert (driver["cores"], driver["memory"], driver["memoryOverhead"]) == (2, "2g", "1024m")
    assert (executor["cores"], executor["memory"], executor["instances"]) == (4, "10240m", 2)
    assert executor["gpu"] == {"name": "nvidia.com/gpu", "quantity": 1}
    assert driver["serviceAccount"] == "spark"
    assert spec["sparkVersion"] == "3.5.1"


def test_a_python_program_lies_on_the_share() -> None:
    task = submission_of(spark_spec(entry_point="src/main.py", dataset="wine"))
    spec = application(task, CONFIG)["spec"]
    folder = f"/mnt/atoll/clusters/spark/{task.name}"
    assert (spec["type"], spec["pythonVersion"]) == ("Python", "3")
    assert spec["mainApplicationFile"] == f"local://{folder}/program/src/main.py"
    for role in ("driver", "executor"):
        variables = {one["name"]: one["value"] for one in spec[role]["env"]}
        assert variables["ATOLL_OUTPUT_DIR"] == f"{folder}/output"
        assert variables["ATOLL_DATASET"] == "/mnt/atoll/datasets/wine.csv"
        assert [(one["mountPath"], one.get("readOnly", False)) for one in spec[role]["volumeMounts"]] == [
            (folder, False),
            ("/mnt/atoll/datasets", True),
        ]


def test_a_class_of_the_image_is_run_as_such() -> None:
    spec = of(spark={"main_class": "org.example.Main", "application_file": "local:///opt/app.jar"})["spec"]
    assert (spec["type"], spec["mainClass"]) == ("Scala", "org.example.Main")
    assert spec["mainApplicationFile"] == "local:///opt/app.jar"
    assert "pythonVersion" not in spec


def test_kubernetes_replaces_nothing_in_arguments_and_variables() -> None:
    spec = of(spark={"arguments": ("$(HOME) $$",)}, environment={"A": "$(HOME)"})["spec"]
    assert spec["arguments"] == ["$$(HOME) $$$$"]
    assert {"name": "A", "value": "$$(HOME)"} in spec["driver"]["env"]


def test_an_application_runs_once_unless_it_may_be_requeued() -> None:
    assert of()["spec"]["restartPolicy"] == {"type": "Never"}
    assert of(requeue=True)["spec"]["restartPolicy"]["type"] == "OnFailure"


def test_a_time_limit_is_that_of_the_drivers_pod() -> None:
    assert of(time_limit_s=60)["spec"]["driver"]["template"] == {"spec": {"activeDeadlineSeconds": 60}}


def test_runs_are_tracked_where_the_share_says(tmp_path: Path) -> None:
    spec = of(tracking={"uri": "experiments", "experiment": "a test"})["spec"]
    variables = {one["name"]: one["value"] for one in spec["driver"]["env"]}
    assert variables["MLFLOW_TRACKING_URI"].startswith("file:/mnt/atoll/")
    assert variables["MLFLOW_EXPERIMENT_NAME"] == "a test"


def test_a_preview_is_yaml_of_the_whole_manifest() -> None:
    made = of(spark=FULL)
    assert yaml.safe_load(dumped(made)) == made


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"array": "0-3"}, "array"),
        ({"cpus": 4}, "cpus"),
        ({"memory_bytes": 1 << 30}, "memory_bytes"),
        ({"command": ("ls",)}, "command"),
        ({"entry_point": "run.sh"}, "entry_point"),
        ({"partition": "tpu"}, "partition"),
        ({"spark": {"min_executors": 4, "max_executors": 2}}, "spark.min_executors"),
        ({"spark": {"executors": 9, "max_executors": 2}}, "spark.executors"),
    ],
)
def test_what_means_nothing_to_spark_is_refused_by_the_name_of_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        SparkRunner(CONFIG).check(spec_of(cluster="spark", **fields))
    assert caught.value.errors[0].field == f"body.{field}"


def test_without_a_share_only_what_lies_elsewhere_can_run() -> None:
    runner = SparkRunner(BARE)
    with pytest.raises(Invalid, match="application_file"):
        runner.check(spark_spec())
    runner.check(spark_spec({"application_file": "local:///opt/app/main.py"}))
