"""Messages as the listener and the submitter of the system before this one send them, with all their fields."""

import json
from typing import Any

T0_MS = 1_700_000_000_000
# A listener in no hurry: being in time is what other tests are of.
PATIENT = {"X-Rest-Timeout": "60"}


def stage(number: int, start_ms: int, end_ms: int, scale_out: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "stage_id": number,
        "stage_name": "treeAggregate at DecisionTree.scala:1",
        "attempt_id": 0,
        "failure_reason": None,
        "num_tasks": 16,
        "parent_stage_ids": [number - 1] if number else [],
        "start_time": start_ms,
        "end_time": end_ms,
        "start_scale_out": scale_out,
        "end_scale_out": scale_out,
        "rescaling_time_ratio": 0.0,
        "rdd_num_partitions": 16,
        "rdd_num_cached_partitions": 8,
        "rdd_mem_size": 1_000_000,
        "rdd_disk_size": 0,
        "metrics": {
            "cpu_utilization": 0.8,
            "gc_time_ratio": 0.05,
            "shuffle_rw_ratio": 0.5,
            "data_io_ratio": 0.9,
            "memory_spill_ratio": 0.0,
        },
    } | more


def application_start(run: str, *, start_ms: int = T0_MS, scale_out: int = 4, **updates: Any) -> dict[str, Any]:
    return {
        "application_execution_id": run,
        "application_id": "spark-0a1b",
        "job_id": None,
        "update_event": "APPLICATION_START",
        "updates": {
            "application_id": "spark-0a1b",
            "application_signature": "gbt-7f",
            "attempt_id": None,
            "start_time": start_ms,
            "start_scale_out": scale_out,
        }
        | updates,
    }


def job_end(
    run: str, job: int, *, start_ms: int, end_ms: int, scale_out: int = 4, as_text: bool = True, **updates: Any
) -> dict[str, Any]:
    told = {
        "application_id": "spark-0a1b",
        "application_signature": "gbt-7f",
        "attempt_id": None,
        "job_id": job,
        "start_time": start_ms,
        "end_time": end_ms,
        "start_scale_out": scale_out,
        "end_scale_out": scale_out,
        "predicted_scale_out": None,
        "rescaling_time_ratio": 0.0,
        "stages": {str(job): stage(job, start_ms, end_ms, scale_out)},
    } | updates
    return {
        "application_execution_id": run,
        "application_id": "spark-0a1b",
        "job_id": job,
        "update_event": "JOB_END",
        "updates": json.dumps(told) if as_text else told,
    }


def submission(**specs: Any) -> dict[str, Any]:
    return {
        "global_specs": {
            "solution_name": "enel",
            "system_name": "spark",
            "template_version": "v1",
            "experiment_name": "runs of May",
            "algorithm_name": "gbt",
            "algorithm_args": ["--iterations", "10", 5],
            "data_size_MB": 27_000,
            "data_characteristics": "dense",
            "machine_name": "n2",
            "environment_name": "kubernetes",
            "min_scale_out": 4,
            "max_scale_out": 36,
            "max_runtime": 600,
        }
        | specs,
        "optional_specs": {
            "hadoop_version": "3.3",
            "spark_version": "3.5.1",
            "scala_version": "2.12",
            "java_version": "17",
        },
        "master_specs": {"scale_out": 1, "cores": 2, "memory": "4096m", "memory_overhead": "1024m"},
        "worker_specs": {"scale_out": 4, "cores": 2, "memory": "10240m", "memory_overhead": "2048m"},
        "spark_template_values": {
            "release_name": "gbt-1",
            "scale_out_tuner": {
                "config": {
                    "method": "enel",
                    "rest_timeout": 60,
                    "service": "atoll",
                    "port": 7071,
                    "is_adaptive": True,
                    "initial_executors": 4,
                }
            },
            "main_application_file": "local:///opt/jobs/gbt.py",
        },
    }
