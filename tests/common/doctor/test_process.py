"""What a fresh process tells the doctor, and what is made of settings."""

import os
from pathlib import Path
from typing import Any

import pytest

from common.doctor.finding import Finding
from common.doctor.process import check_models, judge_import, judge_models
from common.doctor.variables import check_open, check_variables, strangers
from common.settings import HttpSettings, PluginSettings, SecuritySettings, Settings, StorageSettings
from tests.support.plugins import write_plugin


def models(tmp_path: Path, source: str) -> list[Finding]:
    path = write_plugin(tmp_path / "plugins", "tried", source)
    environment = {"PATH": os.defpath, "ATOLL_PLUGIN_PATH": str(path), "SERVICE_MODEL": "tried"}
    settings = Settings(
        plugins=PluginSettings(path=(path,), service_model=("tried",)),
        storage=StorageSettings(state_dir=tmp_path / "state"),
    )
    return list(check_models(settings, environment, 120.0))


def test_a_model_whose_file_is_missing_is_named_with_the_reason(tmp_path: Path) -> None:
    (found,) = models(
        tmp_path,
        """
        from fastapi import APIRouter
        from common.plugins import Plugin

        router = APIRouter(prefix="/tried")

        def load():
            open("/nowhere/weights.onnx")

        plugin = Plugin(load=load)
        """,
    )
    assert found.level == "error"
    assert found.what.startswith("tried: FileNotFoundError")
    assert "/nowhere/weights.onnx" in found.what
    assert not (tmp_path / "state").exists()


def test_a_process_that_is_killed_is_told() -> None:
    environment = {"PATH": os.defpath, "ATOLL_ROLES": "nonsense"}
    (found,) = check_models(Settings(), environment, 120.0)
    assert found.level == "error"
    assert "ATOLL_ROLES" in found.what


def test_models_that_answer_from_a_sample_are_a_warning() -> None:
    told: list[dict[str, Any]] = [
        {"name": "imputation", "state": "ready", "reason": None, "datasets": [["sample", "generated"]]},
        {"name": "sample", "state": "ready", "reason": None, "datasets": []},
    ]
    warning, ok = judge_models(told)
    assert (warning.level, ok.level) == ("warning", "ok")
    assert warning.what == "imputation answer from a generated sample"


def test_no_model_at_all_is_an_error() -> None:
    assert [item.level for item in judge_models([])] == ["error"]


def test_a_slow_import_is_a_warning() -> None:
    assert judge_import(0.9).level == "ok"
    assert judge_import(1.1).level == "warning"
    assert "other work" not in judge_import(1.1).why
    assert "other work" in judge_import(1.1, busy=True).why


def test_settings_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**given: str) -> str:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        (found,) = check_variables(Settings(), given)
        return found.what

    assert told() == "no setting is given; the defaults hold"
    assert told(ATOLL_ROLES="http") == "1 setting is given, and has an effect"
    assert told(ATOLL_ROLES="http", SERVICE_MODEL="sample").startswith("2 settings are given, and all have")


def test_settings_without_an_effect_and_names_of_no_setting_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"DATABASE_POOL": "4", "ATOLL_ROLE": "http", "ATOLL_COLOUR": "blue", "ATOLL_KEY": "x", "HOME": "/root"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = list(check_variables(Settings(), given))
    assert [(item.level, item.what) for item in found] == [
        ("warning", "DATABASE_POOL has no effect"),
        ("warning", "ATOLL_ROLE is no setting"),
        ("warning", "ATOLL_COLOUR is no setting"),
    ]
    assert found[1].todo == "rename it to ATOLL_ROLES"


def test_names_that_others_than_settings_have_are_known() -> None:
    names = ["ATOLL_URL", "ATOLL_CLUSTER_HPC_KIND", "ATOLL_ADMIN_KEY_FILE", "atoll_state", "ATOLL_TASK_ID", "PATH"]
    assert strangers(names) == []
    assert strangers(["OIDC_ISSUR"]) == ["OIDC_ISSUR"]


@pytest.mark.parametrize(
    ("scopes", "host", "runtime", "warned"),
    [
        ("predict,admin", "0.0.0.0", None, True),  # noqa: S104 - it is what is warned of
        ("predict,admin", "127.0.0.1", "python", True),
        ("predict,admin", "127.0.0.1", None, False),
        ("predict", "0.0.0.0", None, False),  # noqa: S104 - as above
        (None, "0.0.0.0", None, False),  # noqa: S104 - as above
    ],
)
def test_everybody_s_right_to_everything_is_told_where_others_can_call(
    monkeypatch: pytest.MonkeyPatch, scopes: str | None, host: str, runtime: str | None, warned: bool
) -> None:
    if scopes is not None:
        monkeypatch.setenv("ANONYMOUS_SCOPES", scopes)
    settings = Settings(http=HttpSettings(host=host))
    if runtime:
        monkeypatch.setenv("FUNCTIONS_WORKER_RUNTIME", runtime)
        settings.security = SecuritySettings()
    assert bool(list(check_open(settings))) == warned
