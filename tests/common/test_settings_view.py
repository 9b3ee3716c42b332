"""Settings as `/settings` and `atoll settings` show them."""

import json
from pathlib import Path

import pytest

from common.settings import Settings
from common.settings.view import SettingInfo, SettingsInfo, describe
from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.servers import run_python

ADMIN = "planted-" * 5


def shown(monkeypatch: pytest.MonkeyPatch, **variables: str) -> SettingsInfo:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return describe(Settings(), variables)


def setting(told: SettingsInfo, name: str) -> SettingInfo:
    (found,) = (item for area in told.areas for item in area.settings if item.name == name)
    return found


def test_each_value_is_shown_with_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(ADMIN)
    told = shown(monkeypatch, PORT="99", ATOLL_ADMIN_KEY_FILE=str(path))
    assert (setting(told, "PORT").value, setting(told, "PORT").source) == (99, "environment")
    assert (setting(told, "WORKERS").value, setting(told, "WORKERS").source) == (1, "default")
    key = setting(told, "ATOLL_ADMIN_KEY")
    assert (key.value, key.source, key.is_secret) == ("***", "file", True)
    assert setting(told, "CALLBACK_SECRET").value is None
    assert ADMIN not in told.model_dump_json()


def test_a_secret_within_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    share = "https://x.file.core.windows.net/share?sv=1&sig=planted%2Fsignature"
    assert "planted" not in shown(monkeypatch, FILE_SHARE=share).model_dump_json()


def test_a_setting_that_has_no_effect_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(monkeypatch, DATABASE_POOL="3", SSL_CIPHERS="ECDHE")
    assert setting(told, "DATABASE_POOL").no_effect == "the database is SQLite"
    assert setting(told, "SSL_CIPHERS").no_effect == "SSL_CERTFILE is not set"
    assert setting(told, "SSL_MIN_VERSION").no_effect is None


def test_a_variable_that_is_spelled_much_like_a_setting_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = shown(monkeypatch, ATOLL_ADMINKEY=ADMIN, HOME="/root", RATE_LIMITS_PER_S="1", ATOLL_KEY="x")
    assert told.unknown == {"ATOLL_ADMINKEY": "ATOLL_ADMIN_KEY", "RATE_LIMITS_PER_S": "RATE_LIMIT_PER_S"}
    assert ADMIN not in told.model_dump_json()


def test_the_route_answers_the_settings_of_the_process(tmp_path: Path) -> None:
    answer = Client(make_app(tmp_path / "state")).get("/settings")
    assert answer.status_code == 200
    told = SettingsInfo.model_validate(answer.json())
    assert setting(told, "ATOLL_STATE").value == str(tmp_path / "state")
    assert setting(told, "ATOLL_STATE").source == "program"


def test_the_command_shows_the_same_locally(tmp_path: Path) -> None:
    run = run_python(["-m", "common.cli", "settings"], tmp_path, {"ATOLL_ADMIN_KEY": ADMIN, "PORT": "99"})
    told = SettingsInfo.model_validate(json.loads(run.stdout))
    assert (setting(told, "PORT").value, setting(told, "ATOLL_ADMIN_KEY").value) == (99, "***")
    assert ADMIN not in run.stdout + run.stderr
