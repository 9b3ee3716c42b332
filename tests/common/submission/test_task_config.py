"""Configs of tasks, as the service before this one took them and as they are now."""

import json
from typing import Any

import pytest

from common.errors import BadRequest, Invalid
from common.submission.entry_points import Program, entry_point
from common.submission.spec import TaskSpec
from common.submission.task_config import FIELDS, build_spec, read_config, read_json

SCRIPT = Program("script.py")
# The sample that came with the old service.
SAMPLE = {
    "dataset_name": "wine_classification",
    "model_params": {"n_estimators": 2, "random_state": 42},
    "runner_location": "atena02",
    "model_tracking": True,
    "tracking_uri": "experiments",
    "experiment_name": "atena_test",
    "script_path": "path/to/script.py",
    "clusters": {
        "atena02": {
            "infra_config": {"instance_type": "cpu", "image_name": "sklearn_sample_latest", "account": "twinscie"}
        }
    },
}


def spec_of(config: dict[str, Any], program: Program = SCRIPT) -> TaskSpec:
    return build_spec(read_config(read_json(json.dumps(config).encode())), program)


def refused(config: dict[str, Any], program: Program = SCRIPT) -> dict[str, str]:
    """What is wrong, by field."""
    with pytest.raises(Invalid) as caught:
        spec_of(config, program)
    return {item.field: item.message for item in caught.value.errors}


def test_the_old_sample_is_taken_as_it_is() -> None:
    assert spec_of(SAMPLE).to_row() == {
        "name": "atena_test",
        "cluster": "atena02",
        "entry_point": "script.py",
        "parameters": {"n_estimators": 2, "random_state": 42},
        "dataset": "wine_classification",
        "image": "sklearn_sample_latest",
        "partition": "cpu",
        "account": "twinscie",
        "tracking": {"uri": "experiments", "experiment": "atena_test"},
    }


def test_of_several_clusters_the_one_of_runner_location_counts() -> None:
    clusters = {name: {"infra_config": {"instance_type": f"{name}-part"}} for name in ("atena02", "aws")}
    assert spec_of({"runner_location": "aws", "clusters": clusters}).partition == "aws-part"
    assert spec_of({"clusters": clusters}).partition is None


def test_without_a_runner_location_the_task_is_for_this_machine() -> None:
    assert spec_of({}).cluster == "local"


def test_script_name_names_the_entry_point_too() -> None:
    assert spec_of({"script_name": "train.py"}).entry_point == "train.py"


def test_a_single_file_is_called_by_the_last_part_of_its_path() -> None:
    assert spec_of({"script_path": "a/b/train.py"}).entry_point == "train.py"
    assert spec_of({}).entry_point == "script.py"


def test_new_fields_are_read() -> None:
    spec = spec_of(
        {
            "name": "forest",
            "time_limit": "1:30:00",
            "memory": "2G",
            "cpus": 4,
            "gpus": 1,
            "nodes": 2,
            "array": "0-9%2",
            "dependencies": ["0" * 27],
            "environment": {"THREADS": 4, "DEBUG": True, "WHERE": "here"},
            "modules": ["gcc/12"],
            "command": "python train.py --title 'two words'",
            "retries": 2,
            "requeue": True,
            "as_arguments": True,
            "spark": {"executors": 2},
            "labels": {"team": "a"},
        }
    )
    assert (spec.time_limit_s, spec.memory_bytes) == (5400, 2 << 30)
    assert spec.command == ("python", "train.py", "--title", "two words")
    assert spec.environment == {"THREADS": "4", "DEBUG": "true", "WHERE": "here"}
    assert spec.spark is not None
    assert (spec.spark.executors, spec.array, spec.retries, spec.requeue) == (2, "0-9%2", 2, True)


def test_a_field_that_is_not_known_is_refused_with_those_there_are() -> None:
    told = refused({"n_estimators": 2})["config.n_estimators"]
    assert all(name in told for name in FIELDS)


def test_two_fields_for_the_same_may_not_differ() -> None:
    assert "differs" in refused({"script_name": "a.py", "script_path": "b.py"})["config.script_name"]
    assert spec_of({"dataset": "wine", "dataset_name": "wine"}).dataset == "wine"


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, [[]]])
def test_parameters_that_are_no_scalars_are_refused(value: Any) -> None:
    assert "no scalar" in refused({"model_params": {"depth": value}})["config.model_params.depth"]


@pytest.mark.parametrize("value", ["depth=3", [], [1], 1, True])
def test_parameters_that_are_no_object_are_refused_as_such(value: Any) -> None:
    assert refused({"model_params": value})["config.model_params"].startswith("is an object")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"environment": "A=1"}, {"config.environment": "is an object"}),
        ({"modules": {"gcc": 1}}, {"config.modules": "is a list"}),
        ({"name": 1}, {"config.name": "is a text"}),
        ({"spark": {"cores": 1}}, {"config.spark.cores": "is no field of it"}),
    ],
)
def test_what_is_of_another_kind_is_told_in_words_of_json(config: dict[str, Any], told: dict[str, str]) -> None:
    assert refused(config) == told


@pytest.mark.parametrize("number", [1 << 64, -(1 << 63) - 1, 10**30, 10**300])
def test_a_whole_number_that_would_be_rounded_is_refused(number: int) -> None:
    with pytest.raises(Invalid, match="more than 64 bits"):
        read_json(json.dumps({"model_params": {"seed": number}}).encode())


@pytest.mark.parametrize("number", [(1 << 64) - 1, -(1 << 63), 1e300, 0.1234567890123456789, "9" * 30])
def test_numbers_that_fit_and_long_texts_stay_what_they_are(number: Any) -> None:
    assert read_json(json.dumps({"seed": number}).encode()) == {"seed": number}


@pytest.mark.parametrize("array", ["\u0663-\u0664", "0-\uff19", "0-9%\u0662", " 0-9", "0-9\n", "-1", "a"])
def test_indices_are_of_the_digits_that_clusters_read(array: str) -> None:
    assert refused({"array": array})["config.array"].startswith("is indices such as")


def test_tracking_that_names_no_experiment_is_called_as_the_task() -> None:
    tracking = spec_of({"model_tracking": True, "name": "forest"}).tracking
    assert tracking is not None
    assert (tracking.uri, tracking.experiment) == ("experiments", "forest")
    assert spec_of({"model_tracking": False, "tracking_uri": "x"}).tracking is None


def test_what_an_old_client_leaves_open_is_as_if_it_were_not_there() -> None:
    assert spec_of({"dataset_name": None, "runner_location": "", "model_params": None, "clusters": None}) == spec_of({})


TAIL = "\n#SBATCH --uid=0"
SMUGGLED: list[dict[str, Any]] = [
    {"name": f"a{TAIL}"},
    {"runner_location": f"local{TAIL}"},
    {"script_path": f"a{TAIL}.py"},
    {"dataset_name": f"a{TAIL}"},
    {"model_params": {"a": f"b{TAIL}"}},
    {"model_params": {f"a{TAIL}": "b"}},
    {"experiment_name": f"a{TAIL}"},
    {"experiment_name": f"a{TAIL}", "model_tracking": True},
    {"tracking_uri": f"a{TAIL}", "model_tracking": True},
    {"image": f"a{TAIL}"},
    {"partition": f"a{TAIL}"},
    {"account": f"a{TAIL}"},
    {"clusters": {"local": {"infra_config": {"instance_type": f"a{TAIL}"}}}},
    {"clusters": {"local": {"infra_config": {"image_name": f"a{TAIL}"}}}},
    {"clusters": {"local": {"infra_config": {"account": f"a{TAIL}"}}}},
    {"time_limit": f"90m{TAIL}"},
    {"memory": f"2G{TAIL}"},
    {"array": f"0-9{TAIL}"},
    {"dependencies": [f"{'0' * 27}{TAIL}"]},
    {"environment": {"A": f"b{TAIL}"}},
    {"environment": {f"A{TAIL}": "b"}},
    {"modules": [f"gcc{TAIL}"]},
    {"command": ["python", f"x{TAIL}"]},
    {"command": f"python 'x{TAIL}'"},
    {"spark": {"conf": {"spark.x": f"y{TAIL}"}}},
    {"spark": {"conf": {f"spark.x{TAIL}": "y"}}},
    {"spark": {"arguments": [f"a{TAIL}"]}},
    {"spark": {"main_class": f"a.B{TAIL}"}},
    {"spark": {"listener": {"a": f"b{TAIL}"}}},
    {"spark": {"driver_memory": f"1g{TAIL}"}},
    {"labels": {"a": f"b{TAIL}"}},
    {"labels": {f"a{TAIL}": "b"}},
    {"inputs": [{"path": f"a{TAIL}", "upload": "0" * 27}]},
]


@pytest.mark.parametrize("config", SMUGGLED, ids=lambda config: str(next(iter(config))))
def test_no_field_takes_a_line_break(config: dict[str, Any]) -> None:
    assert len(refused(config)) >= 1


def test_each_field_of_texts_was_asked_with_a_line_break() -> None:
    asked = {name for config in SMUGGLED for name in config}
    no_texts = {"as_arguments", "cpus", "gpus", "nodes", "requeue", "retries"}
    same = {"parameters", "entry_point", "script_name", "cluster", "dataset"}
    assert set(FIELDS) - asked == no_texts | same


@pytest.mark.parametrize(
    ("config", "secret"),
    [
        ({"model_params": {"password": ["hunter2-hunter2"]}}, "hunter2-hunter2"),
        ({"environment": {"API_TOKEN": "hunter2\nhunter2"}}, "hunter2"),
        ({"command": "run 'hunter2-hunter2"}, "hunter2-hunter2"),
        ({"tracking_uri": "https://me:hunter2-hunter2@host/\n", "model_tracking": True}, "hunter2-hunter2"),
        ({"spark": {"conf": {"secret.key": "hunter2\n"}}}, "hunter2"),
    ],
)
def test_errors_do_not_show_secrets(config: dict[str, Any], secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        spec_of(config)
    assert secret not in caught.value.detail + repr(caught.value.errors)


@pytest.mark.parametrize(
    ("members", "wanted", "expected"),
    [
        (["train.py", "lib/a.py"], "train.py", "train.py"),
        (["job/train.py", "job/lib/a.py"], "train.py", "job/train.py"),
        (["job/train.py", "job/lib/a.py"], "lib/a.py", "job/lib/a.py"),
        (["job/train.py"], "/home/me/train.py", "job/train.py"),
        (["job/train.py", "data.csv"], None, "job/train.py"),
        (["main.py", "other.py"], None, "main.py"),
        (["a/__init__.py", "run.sh"], None, "run.sh"),
    ],
)
def test_the_entry_point_of_an_archive_is_found(members: list[str], wanted: str | None, expected: str) -> None:
    assert entry_point(Program("p.zip", members), wanted) == expected


@pytest.mark.parametrize(
    ("members", "wanted", "told"),
    [
        (["a.py", "b.py"], None, "which file"),
        (["data.csv"], None, "no .py or .sh"),
        (["a.py"], "b.py", "which has a.py"),
        (["x/a.py", "y/a.py"], "a.py", "is no file"),
    ],
)
def test_an_entry_point_that_is_not_there_or_not_clear_is_refused(
    members: list[str], wanted: str | None, told: str
) -> None:
    with pytest.raises(Invalid, match=told):
        entry_point(Program("p.zip", members), wanted)


def test_a_script_of_another_kind_than_the_config_says_is_refused() -> None:
    assert "config.script_path" in refused({"script_path": "run.sh"})


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b'{"a": NaN}', b"\xff", b"[" * 2000])
def test_what_is_no_json_is_answered_so(body: bytes) -> None:
    with pytest.raises(BadRequest, match="is no JSON"):
        read_json(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="no JSON object"):
        read_json(body)


def test_inputs_by_reference_are_read() -> None:
    given = [{"path": "a/x.csv", "upload": "0" * 27, "sha256": "AB" * 32}, {"dataset": "sids/data.csv"}]
    config = read_config({"inputs": given})
    assert [(item.path, item.upload, item.dataset) for item in config.inputs] == [
        ("a/x.csv", "0" * 27, None),
        ("data.csv", None, "sids/data.csv"),
    ]
    assert build_spec(config, SCRIPT, ["own.csv"]).inputs == ("own.csv", "a/x.csv", "data.csv")
    with pytest.raises(Invalid, match="two inputs"):
        build_spec(config, SCRIPT, ["data.csv"])


@pytest.mark.parametrize(
    "given",
    [
        "x",
        ["x"],
        [{"path": "x"}],
        [{"path": "x", "upload": "a", "dataset": "b"}],
        [{"path": "x", "upload": "a", "sha256": "b"}],
        [{"path": "../x", "upload": "a"}],
        [{"path": "/x", "upload": "a"}],
    ],
)
def test_inputs_of_another_form_are_refused(given: Any) -> None:
    assert any(name.startswith("config.inputs") for name in refused({"inputs": given}))
