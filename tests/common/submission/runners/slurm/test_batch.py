import subprocess
from typing import Any

import pytest

from common.submission.records import Submission
from common.submission.runners.slurm.batch import batch_options, batch_script
from common.submission.runners.slurm.config import SlurmConfig
from tests.common.submission.runners.slurm.tasks import submission

FOLDER = "/scratch/atoll/t"


def config(**more: Any) -> SlurmConfig:
    return SlurmConfig.model_validate({"name": "lab", "kind": "slurm-ssh", "folder": "/scratch/atoll", **more})


def test_what_a_task_asks_for_becomes_options_of_sbatch() -> None:
    task = submission(
        partition="gpu", account="lab", time_limit_s=90061, memory_bytes=(3 << 30) + 1, cpus=4, gpus=2, nodes=2
    )
    options = batch_options(task, config(), FOLDER)
    asked = ("partition", "account", "time", "mem", "cpus-per-task", "gres", "nodes")
    assert {name: options[name] for name in asked} == {
        "partition": "gpu", "account": "lab", "time": "1-01:01:01", "mem": "3073M", "cpus-per-task": "4",
        "gres": "gpu:2", "nodes": "2",
    }  # fmt: skip


def test_what_a_task_leaves_out_is_as_the_cluster_says() -> None:
    told = config(default_partition="cpu", default_account="main", default_time_limit_s=60, options={"qos": "long"})
    options = batch_options(submission(), told, FOLDER)
    assert (options["partition"], options["account"], options["time"], options["qos"]) == (
        "cpu", "main", "0-00:01:00", "long",
    )  # fmt: skip


def test_gpus_can_be_asked_for_by_job() -> None:
    assert batch_options(submission(gpus=2), config(gpu_option="gpus"), FOLDER)["gpus"] == "2"


def test_a_dependency_that_failed_ends_the_task_too() -> None:
    options = batch_options(submission(depends_on=("7", "9")), config(), FOLDER)
    assert (options["dependency"], options["kill-on-invalid-dep"]) == ("afterok:7:9", "yes")


@pytest.mark.parametrize("requeue", [True, False])
def test_only_who_asks_for_it_is_put_back_after_a_node_failed(requeue: bool) -> None:
    options = batch_options(submission(requeue=requeue), config(), FOLDER)
    assert ("requeue" in options, "no-requeue" in options) == (requeue, not requeue)


def test_each_element_of_an_array_has_a_log_of_its_own() -> None:
    options = batch_options(submission(array="0-9%2"), config(), FOLDER)
    assert (options["array"], options["output"]) == ("0-9%2", f"{FOLDER}/task-%a.log")


def test_the_script_is_options_and_the_start_of_run_sh() -> None:
    task = submission(cpus=2)
    assert batch_script(task, config(), FOLDER) == (
        "#!/bin/sh\n"
        f"#SBATCH --job-name={task.name}\n"
        f"#SBATCH --chdir={FOLDER}\n"
        f"#SBATCH --output={FOLDER}/task.log\n"
        "#SBATCH --open-mode=append\n"
        "#SBATCH --no-requeue\n"
        "#SBATCH --cpus-per-task=2\n"
        "\n"
        f"export ATOLL_TASK_DIR={FOLDER}\n"
        'export ATOLL_CLUSTER_JOB_ID="$SLURM_JOB_ID"\n'
        f"exec sh {FOLDER}/run.sh\n"
    )


def test_elements_of_an_array_know_their_index_and_the_arrays_number() -> None:
    text = batch_script(submission(array="0-3"), config(), FOLDER)
    exports = text[text.index("export") : text.index("exec")]
    told = subprocess.run(
        ["sh", "-c", exports + 'echo "$ATOLL_CLUSTER_JOB_ID $ATOLL_ARRAY_INDEX"'],
        env={"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "10 3\n"


@pytest.mark.parametrize("job_id", ["7 --wrap=x", "7\n#SBATCH --uid=0", "-1", "", "7;8"])
def test_what_is_no_number_of_a_job_never_becomes_a_dependency(job_id: str) -> None:
    with pytest.raises(ValueError, match=r"no number|may hold"):
        batch_options(submission(depends_on=(job_id,)), config(), FOLDER)


@pytest.mark.parametrize("value", ["a b", "a\n#SBATCH --uid=0", "$(id)", "`id`", "a'b", 'a"b', "a\\b", "a#b"])
@pytest.mark.parametrize("field", ["partition", "account", "array"])
def test_nothing_is_smuggled_into_an_option_even_by_a_spec_that_nobody_checked(field: str, value: str) -> None:
    task = submission()
    spec = task.spec.model_copy(update={field: value})
    with pytest.raises(ValueError, match="may hold"):
        batch_script(Submission(task.task_id, task.name, task.owner, spec), config(), FOLDER)
