"""run.sh is run by the shells that are here, with values that would break a script which does not quote them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import Invalid
from common.submission import script
from common.submission.config import ClusterConfig
from common.submission.spec import SparkSpec, TaskSpec
from tests.support.backends import missing

TASK_ID, NAME = "0" * 27, "wine-" + "0" * 27 + "-1"
SHELLS = [shell for shell in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
NASTY = [
    "$(touch broken)",
    "`touch broken`",
    "'; touch broken; '",
    '"; touch broken; "',
    "$HOME ${PATH} $$ \\ * ? ~ ! # & | < > ( )",
    "#SBATCH --uid=root",
    "-n --help",
    "",
    "ünï çödé 雪",
    "%s %n \\n",
]
SHOW = """\
import json, os, sys
variables = {name: value for name, value in os.environ.items()}
json.dump({"variables": variables, "arguments": sys.argv[1:], "folder": os.getcwd()}, open(sys.argv[0] + ".out", "w"))
"""


def cluster(**fields: Any) -> ClusterConfig:
    return ClusterConfig.model_validate({"name": "here", "kind": "local", "python": sys.executable, **fields})


def task(**fields: Any) -> TaskSpec:
    return TaskSpec.model_validate({"name": "wine", "cluster": "here", "entry_point": "show.py", **fields})


def make(folder: Path, spec: TaskSpec, config: ClusterConfig, **more: Any) -> Path:
    (folder / "program").mkdir(parents=True, exist_ok=True)
    (folder / "program" / "show.py").write_text(SHOW)
    (folder / script.PARAMS).write_bytes(script.params_json(spec))
    run = folder / script.RUN
    run.write_text(script.render(spec, config, task_id=TASK_ID, name=NAME, **more))
    return run


def start(run: Path, *shell: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables}
    return subprocess.run(
        [*(shell or ("sh",)), run], env=env, capture_output=True, text=True, timeout=60, cwd="/", check=False
    )


def shown(folder: Path) -> Any:
    return json.loads((folder / "program" / "show.py.out").read_text())


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("value", NASTY)
def test_any_text_reaches_the_program_as_it_is(tmp_path: Path, shell: list[str], value: str) -> None:
    folder = tmp_path / "it's $HOME; `a` folder"
    spec = task(parameters={"text": value}, as_arguments=True, environment={"TEXT": value, "_x": "1"})
    run = make(folder, spec, cluster(environment={"SITE": value}), tracking={"MLFLOW_EXPERIMENT_NAME": value})
    done = start(run, *shell)
    assert (done.returncode, done.stderr) == (0, "")
    seen = shown(folder)
    assert seen["arguments"] == [f"--text={value}"]
    assert [seen["variables"][name] for name in ("TEXT", "SITE", "MLFLOW_EXPERIMENT_NAME")] == [value] * 3
    assert json.loads(Path(seen["variables"]["ATOLL_PARAMS"]).read_text()) == {"text": value}
    assert list(tmp_path.rglob("broken")) == []


_WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(_WORD, min_size=1, max_size=4))
def test_a_command_of_any_words_is_run_word_by_word(tmp_path: Path, words: list[str]) -> None:
    spec = task(command=[sys.executable, "show.py", *words])
    shutil.rmtree(tmp_path / "task", ignore_errors=True)
    done = start(make(tmp_path / "task", spec, cluster()))
    assert (done.returncode, done.stderr) == (0, "")
    assert shown(tmp_path / "task")["arguments"] == words


def test_the_program_finds_what_it_was_promised(tmp_path: Path) -> None:
    spec = task(dataset="wine", parameters={"n": 2, "rate": 0.1, "deep": True, "name": "x"})
    make(tmp_path, spec, cluster())
    done = start(tmp_path / "run.sh", ATOLL_ARRAY_INDEX="7", ATOLL_CLUSTER_JOB_ID="12")
    assert done.returncode == 0
    seen = shown(tmp_path)
    assert seen["folder"] == str(tmp_path / "program")
    assert {name: value for name, value in seen["variables"].items() if name.startswith("ATOLL_")} == {
        "ATOLL_TASK_DIR": str(tmp_path),
        "ATOLL_TASK_ID": TASK_ID,
        "ATOLL_TASK_NAME": NAME,
        "ATOLL_PARAMS": str(tmp_path / "params.json"),
        "ATOLL_INPUT_DIR": str(tmp_path / "inputs"),
        "ATOLL_OUTPUT_DIR": str(tmp_path / "output"),
        "ATOLL_DATASET": str(tmp_path / "datasets" / "wine.csv"),
        "ATOLL_ARRAY_INDEX": "7",
        "ATOLL_CLUSTER_JOB_ID": "12",
    }
    assert (tmp_path / "output").is_dir()
    assert seen["arguments"] == []


def test_parameters_become_arguments_where_asked(tmp_path: Path) -> None:
    spec = task(parameters={"n": 2, "rate": 0.1, "deep": True, "name": "x y"}, as_arguments=True)
    start(make(tmp_path, spec, cluster()))
    assert shown(tmp_path)["arguments"] == ["--n=2", "--rate=0.1", "--deep=true", "--name=x y"]


def test_the_data_set_is_read_from_the_share_where_the_cluster_mounts_it(tmp_path: Path) -> None:
    start(make(tmp_path, task(dataset="wine"), cluster(share="/mnt/the share/")))
    assert shown(tmp_path)["variables"]["ATOLL_DATASET"] == "/mnt/the share/datasets/wine.csv"


def test_tracking_may_point_into_the_output_folder(tmp_path: Path) -> None:
    tracking = {"MLFLOW_TRACKING_URI": "file:$ATOLL_OUTPUT_DIR/mlruns", "MLFLOW_RUN_NAME": "$HOME"}
    start(make(tmp_path, task(), cluster(), tracking=tracking))
    variables = shown(tmp_path)["variables"]
    assert variables["MLFLOW_TRACKING_URI"] == f"file:{tmp_path}/output/mlruns"
    assert variables["MLFLOW_RUN_NAME"] == "$HOME"


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_programs(tmp_path: Path, code: int) -> None:
    run = make(tmp_path, task(command=["sh", "-c", f"exit {code}"]), cluster())
    assert start(run).returncode == code


def test_a_shell_script_is_run_by_sh(tmp_path: Path) -> None:
    run = make(tmp_path, task(entry_point="src/go.sh", parameters={"a": 1}, as_arguments=True), cluster())
    (tmp_path / "program" / "src").mkdir()
    (tmp_path / "program" / "src" / "go.sh").write_text('echo "got $1 in $(basename "$PWD")"')
    assert start(run).stdout == "got --a=1 in program\n"


def test_an_entry_point_that_nothing_can_run_is_refused() -> None:
    with pytest.raises(Invalid, match=r"ends in \.py or \.sh; for anything else send command"):
        script.render(task(entry_point="model.exe"), cluster(), task_id=TASK_ID, name=NAME)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_second_cluster_job_leaves_the_task_alone(tmp_path: Path, shell: list[str]) -> None:
    run = make(tmp_path, task(command=["sh", "-c", "echo ran"]), cluster())
    first = start(run, *shell, ATOLL_CLUSTER_JOB_ID="41")
    second = start(run, *shell, ATOLL_CLUSTER_JOB_ID="42")
    assert (first.returncode, first.stdout) == (0, "ran\n")
    assert (second.returncode, second.stdout) == (0, "")
    assert "run by the cluster job 41; 42 leaves it alone" in second.stderr


def test_the_cluster_job_that_was_put_back_goes_on(tmp_path: Path) -> None:
    run = make(tmp_path, task(command=["sh", "-c", "echo ran"]), cluster())
    assert [start(run, ATOLL_CLUSTER_JOB_ID="41").stdout for _ in range(3)] == ["ran\n"] * 3
    assert sorted(path.name for path in (tmp_path / "claim").iterdir()) == ["owner"]


def test_a_claim_that_was_killed_before_it_was_made_does_not_count(tmp_path: Path) -> None:
    run = make(tmp_path, task(command=["sh", "-c", "echo ran"]), cluster())
    (tmp_path / ".claim.40").mkdir()
    assert start(run, ATOLL_CLUSTER_JOB_ID="41").stdout == "ran\n"


def test_elements_of_an_array_claim_for_themselves(tmp_path: Path) -> None:
    run = make(tmp_path, task(command=["sh", "-c", 'echo "$ATOLL_ARRAY_INDEX"']), cluster())
    done = [
        start(run, ATOLL_CLUSTER_JOB_ID=job, ATOLL_ARRAY_INDEX=index)
        for job, index in [("a", "0"), ("a", "1"), ("b", "1")]
    ]
    assert [one.stdout for one in done] == ["0\n", "1\n", ""]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_two_arrays_never_share_a_task(tmp_path: Path, shell: list[str]) -> None:
    run = make(tmp_path, task(command=["sh", "-c", 'echo "$ATOLL_ARRAY_INDEX"']), cluster())
    many = [
        subprocess.Popen(
            [*shell, run],
            env={
                "PATH": os.environ["PATH"],
                "ATOLL_CLUSTER_JOB_ID": job,
                "ATOLL_ARRAY_INDEX": str(index),
                "ATOLL_CLAIM_WHOLE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(10)
        for job in ("41", "42")
    ]
    done = [(*process.communicate(timeout=60), process.returncode) for process in many]
    assert [code for *_, code in done] == [0] * 20
    assert sorted(out for out, _, _ in done) == sorted([*(f"{index}\n" for index in range(10)), *[""] * 10])
    ran = {number % 2 for number, (out, _, _) in enumerate(done) if out}
    assert len(ran) == 1


def test_of_many_at_the_same_moment_one_runs_the_program(tmp_path: Path) -> None:
    run = make(tmp_path, task(command=["sh", "-c", "echo ran"]), cluster())
    many = [
        subprocess.Popen(
            ["sh", run],
            env={"PATH": os.environ["PATH"], "ATOLL_CLUSTER_JOB_ID": str(job)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for job in range(20)
    ]
    done = [(process.communicate(timeout=60), process.returncode) for process in many]
    assert [code for _, code in done] == [0] * 20
    assert "".join(out for (out, _), _ in done) == "ran\n"


def test_the_set_up_of_the_cluster_comes_before_the_program(tmp_path: Path) -> None:
    config = cluster(setup=("FROM_SETUP='a b'", "export FROM_SETUP"))
    run = make(tmp_path, task(command=["sh", "-c", 'echo "$FROM_SETUP"']), config)
    assert start(run).stdout == "a b\n"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_set_up_that_fails_is_told_and_the_program_not_begun(tmp_path: Path, shell: list[str]) -> None:
    config = cluster(setup=("true", "false", "echo on"))
    done = start(make(tmp_path, task(command=["echo", "ran"]), config), *shell)
    assert (done.returncode, done.stdout) == (script.NOT_BEGUN, "")
    assert "atoll: the set-up of the cluster failed" in done.stderr


def test_modules_are_loaded_in_order(tmp_path: Path) -> None:
    config = cluster()
    run = make(tmp_path, task(modules=["gcc/12", "cuda"], command=["sh", "-c", 'echo "$LOADED"']), config)
    function = 'module() { LOADED="$LOADED $*"; export LOADED; }\n'
    run.write_text(run.read_text().replace("\n", f"\n{function}", 1))
    assert start(run).stdout == " load gcc/12 load cuda\n"


def test_a_machine_without_modules_says_so(tmp_path: Path) -> None:
    done = start(make(tmp_path, task(modules=["gcc/12"]), cluster()), "dash" if shutil.which("dash") else "sh")
    assert done.returncode == script.NOT_BEGUN
    assert 'there are no environment modules here; leave "modules" out' in done.stderr


def test_a_spark_application_is_handed_to_spark_submit_on_one_machine(tmp_path: Path) -> None:
    spark = SparkSpec(
        arguments=("--in=a b",),
        conf={"spark.dynamicAllocation.enabled": "true", "spark.sql.shuffle.partitions": "4"},
        executors=3,
        listener={"poll_interval_s": 2},
    )
    spec = task(spark=spark, entry_point="job.py")
    words = script.command(spec, cluster(python="python3"))
    assert words[:3] == ("spark-submit", "--master", "local[3]")
    assert "spark.sql.shuffle.partitions=4" in words
    assert "spark.customExtraListener.pollIntervalS=2" in words
    assert not any("dynamicAllocation" in word for word in words)
    assert words[-2:] == ("job.py", "--in=a b")
    assert "means nothing on one machine: spark.dynamicAllocation.enabled" in script.render(
        spec, cluster(), task_id=TASK_ID, name=NAME
    )


@pytest.mark.parametrize(
    ("containers", "wanted"),
    [
        ("apptainer", 'apptainer exec --nv --bind "$ATOLL_TASK_DIR" --pwd "$ATOLL_TASK_DIR/program" "$image"'),
        ("singularity", 'singularity exec --nv --bind "$ATOLL_TASK_DIR" --pwd "$ATOLL_TASK_DIR/program" "$image"'),
        ("charliecloud", 'ch-run --bind="$ATOLL_TASK_DIR" --cd="$ATOLL_TASK_DIR/program" "$image" --'),
    ],
)
def test_an_image_is_run_as_the_cluster_does_it(containers: str, wanted: str) -> None:
    config = cluster(containers=containers, images="/img")
    text = script.render(task(image="sk", gpus=1), config, task_id=TASK_ID, name=NAME)
    assert text.endswith(f"exec {wanted} python3 -u show.py </dev/null\n")


@pytest.mark.parametrize("file", ["sk", "sk.sif", "sk.img"])
def test_an_image_is_found_by_its_name_whatever_its_suffix(tmp_path: Path, file: str) -> None:
    images, programs = tmp_path / "the images", tmp_path / "bin"
    images.mkdir()
    programs.mkdir()
    (images / file).touch()
    engine_mock = programs / "apptainer"
    engine_mock.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    engine_mock.chmod(0o700)
    run = make(tmp_path / "task", task(image="sk"), cluster(containers="apptainer", images=str(images)))
    done = start(run, PATH=f"{programs}:{os.environ['PATH']}")
    assert f"{images}/{file}\npython3\n-u\nshow.py\n" in done.stdout


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = make(tmp_path / "task", task(image="sk"), cluster(containers="apptainer", images=str(tmp_path)))
    done = start(run)
    assert done.returncode == script.NOT_BEGUN
    assert f"there is no image {tmp_path}/sk" in done.stderr


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        missing("shellcheck is not installed")
    # Its remark that quoted dollars do not expand is what is meant.
    spec = task(
        modules=["gcc"],
        dataset="wine",
        image="sk",
        environment={"A": NASTY[4]},
        parameters={"a": "b"},
        as_arguments=True,
    )
    config = cluster(setup=("true",), containers="apptainer", images="/img")
    run = make(tmp_path, spec, config, tracking={"MLFLOW_TRACKING_URI": "file:$ATOLL_OUTPUT_DIR/m"})
    done = subprocess.run(["shellcheck", "-s", "sh", "-e", "SC2016", run], capture_output=True, text=True, check=False)
    assert done.stdout == ""
