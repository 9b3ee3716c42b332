import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.cli.app import app
from common.version import VERSION
from tests.support.plugins import write_plugin
from tests.support.servers import CHECKOUT, run_python


def atoll(state: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    run = run_python(["-m", "common.cli", *arguments], state, env)
    return run.returncode, run.stdout, run.stderr


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert atoll(tmp_path, "version") == (0, f"{VERSION}\n", "")


def test_help_lists_the_commands(tmp_path: Path) -> None:
    code, out, _ = atoll(tmp_path, "--help")
    assert code == 0
    assert all(command in out for command in ("serve", "models", "plugin", "version"))


def test_a_wrong_command_ends_with_2(tmp_path: Path) -> None:
    assert atoll(tmp_path, "no-such-command")[0] == 2


def test_the_models_found_are_listed(tmp_path: Path) -> None:
    code, out, _ = atoll(tmp_path, "models")
    assert code == 0
    names = [model["name"] for model in json.loads(out)]
    assert names == [
        "countries",
        "hosted",
        "housing",
        "imputation",
        "sample",
        "scaleout",
        "sentiment",
        "survey",
        "timeseries",
    ]


def test_a_broken_plugin_is_listed_with_the_reason_and_makes_the_exit_code_1(tmp_path: Path) -> None:
    path = write_plugin(tmp_path / "plugins", "broken", "raise RuntimeError('no licence')")
    code, out, err = atoll(tmp_path, "models", ATOLL_PLUGIN_PATH=str(path))
    assert code == 1
    (found,) = [model for model in json.loads(out) if model["name"] == "broken"]
    assert found["state"] == "unavailable"
    assert "RuntimeError: no licence" in found["reason"]
    assert err == ""


def test_a_new_plugin_passes_its_check_at_once(tmp_path: Path) -> None:
    assert atoll(tmp_path, "plugin", "new", "prices", "--folder", str(tmp_path / "plugins"))[0] == 0
    code, out, err = atoll(tmp_path, "plugin", "check", "prices", ATOLL_PLUGIN_PATH=str(tmp_path / "plugins"))
    assert (code, err) == (0, "")
    assert "FAIL" not in out
    assert "ok   answers example short" in out


def test_the_test_of_a_new_plugin_passes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    _, out, _ = atoll(tmp_path, "plugin", "new", "prices", "--folder", str(folder))
    assert f"pytest {folder / 'prices' / 'test_prices.py'}" in out
    run = run_python(["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", str(folder / "prices")], tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout


def test_what_a_new_plugin_is_made_of_is_as_the_linters_want_it(tmp_path: Path) -> None:
    atoll(tmp_path, "plugin", "new", "two_words", "--folder", str(tmp_path / "plugins"))
    settings = ["--config", str(CHECKOUT / "pyproject.toml"), "--no-cache", str(tmp_path / "plugins")]
    for command in (["check", "--ignore", "S101"], ["format", "--check"]):
        run = run_python(["-m", "ruff", *command, *settings], tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", ["Prices", "models", "two words", "../up"])
def test_a_new_plugin_of_a_wrong_name_is_refused(tmp_path: Path, name: str) -> None:
    code, _, err = atoll(tmp_path, "plugin", "new", name, "--folder", str(tmp_path / "plugins"))
    assert code == 1
    assert "cannot be a plugin's name" in err
    assert not (tmp_path / "plugins").exists()


def test_a_new_plugin_is_put_into_the_checkout_wherever_the_command_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "tests" / "models").mkdir(parents=True)
    monkeypatch.setattr("common.settings.CHECKOUT", checkout)
    monkeypatch.setattr("common.plugins.scaffold.CHECKOUT", checkout)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["plugin", "new", "prices"])
    assert result.exit_code == 0, result.output
    assert (checkout / "models" / "prices" / "__init__.py").exists()
    assert (checkout / "tests" / "models" / "prices" / "test_prices.py").exists()


def test_the_check_of_a_plugin_without_a_predict_passes_with_a_note(tmp_path: Path) -> None:
    path = write_plugin(tmp_path / "plugins", "mine", "from fastapi import APIRouter\nrouter = APIRouter()")
    code, out, _ = atoll(tmp_path, "plugin", "check", "mine", ATOLL_PLUGIN_PATH=str(path))
    assert code == 0, out
    assert "note: no POST …/predict" in out


def test_the_check_of_a_plugin_without_examples_says_that_no_answer_was_checked(tmp_path: Path) -> None:
    source = (
        "from fastapi import APIRouter\nfrom common.plugins import BaseDefinition\nrouter = APIRouter()\n"
        "class Body(BaseDefinition):\n    x: int = 0\n"
        "@router.post('/predict')\nasync def predict(body: Body) -> int:\n    return body.x"
    )
    path = write_plugin(tmp_path / "plugins", "mine", source)
    code, out, _ = atoll(tmp_path, "plugin", "check", "mine", ATOLL_PLUGIN_PATH=str(path))
    assert code == 0, out
    assert "no answer was checked" in out


def test_the_check_of_a_plugin_that_is_not_there_says_which_there_are(tmp_path: Path) -> None:
    code, out, err = atoll(tmp_path, "plugin", "check", "smaple")
    assert (code, out) == (1, "")
    assert err.startswith("atoll: there is no plugin 'smaple'; found are countries, ")


def test_a_new_plugin_overwrites_nothing(tmp_path: Path) -> None:
    write_plugin(tmp_path, "prices", "mine = True")
    code, _, err = atoll(tmp_path, "plugin", "new", "prices", "--folder", str(tmp_path))
    assert code == 1
    assert "exists already" in err
    assert (tmp_path / "prices" / "__init__.py").read_text() == "mine = True"


@pytest.mark.parametrize(
    "name", ["sample", "imputation", "timeseries", "countries", "survey", "sentiment", "housing", "hosted", "scaleout"]
)
def test_every_bundled_plugin_passes_the_check(tmp_path: Path, name: str) -> None:
    code, out, err = atoll(tmp_path, "plugin", "check", name)
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize(
    ("source", "failed"),
    [
        ("raise RuntimeError", "imports"),
        ("import scipy.stats\nfrom fastapi import APIRouter\nrouter = APIRouter()", "imports fast"),
        (
            "from fastapi import APIRouter\nrouter = APIRouter()\n"
            "@router.post('/predict')\nasync def predict(text: str) -> str:\n    return text",
            "lists its parameters",
        ),
        (
            "from fastapi import APIRouter\nfrom pydantic import BaseModel\nfrom common.plugins import Plugin\n"
            "router = APIRouter()\nclass Body(BaseModel):\n    x: int\n"
            "@router.post('/predict')\nasync def predict(body: Body) -> int:\n    return body.x\n"
            "plugin = Plugin(examples={'good': {'x': 1}})",
            "refuses an unknown field",
        ),
        (
            "from fastapi import APIRouter\nrouter = APIRouter(prefix='/sample_model')\n",
            "leaves other plugins their paths",
        ),
        (
            "from fastapi import APIRouter\nfrom common.plugins import Plugin\nrouter = APIRouter()\n"
            "def load():\n    raise OSError('no data')\nplugin = Plugin(load=load)",
            "loads",
        ),
        (
            "from fastapi import APIRouter\nfrom pydantic import BaseModel\nfrom common.plugins import Plugin\n"
            "router = APIRouter()\nclass Body(BaseModel):\n    x: int = 0\n"
            "@router.post('/predict')\nasync def predict(body: Body) -> int:\n    return body.x\n"
            "plugin = Plugin(examples={'bad': {'x': 'word'}})",
            "answers example bad",
        ),
    ],
    ids=["import", "heavy import", "parameters", "extras", "taken", "load", "example"],
)
def test_the_check_names_what_fails(tmp_path: Path, source: str, failed: str) -> None:
    path = write_plugin(tmp_path / "plugins", "mine", source)
    code, out, _ = atoll(tmp_path, "plugin", "check", "mine", ATOLL_PLUGIN_PATH=str(path))
    assert code == 1
    assert f"FAIL {failed}  " in out


def test_a_wrong_setting_is_told_in_one_line(tmp_path: Path) -> None:
    for arguments in (["models"], ["plugin", "check", "sample"], ["serve"]):
        code, _, err = atoll(tmp_path, *arguments, PORT="web")
        assert code == 1, arguments
        assert err.startswith("atoll: settings are wrong: PORT='web'"), arguments
        assert err.count("\n") == 1, arguments


def test_the_installed_command_is_the_same(tmp_path: Path) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps([p.value for p in m.entry_points(name='atoll')]))"
    assert "common.cli:main" in json.loads(run_python(["-c", code], tmp_path).stdout)
