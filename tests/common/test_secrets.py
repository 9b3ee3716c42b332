"""Which values are secrets, and secrets by reference."""

from pathlib import Path

import pytest

from common.errors import SettingsError
from common.settings import Settings
from common.settings.secrets import secrets_of
from common.telemetry.masking import mask


def test_a_url_hides_its_password_and_not_its_host() -> None:
    found = secrets_of({"DATABASE_URL": "postgresql://me:s%40cret-pw@db.example/atoll?sslmode=require"})
    assert set(found) == {"s%40cret-pw", "s@cret-pw"}


def test_a_connection_string_hides_its_key_alone_too() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=aGVsbG8gd29ybGQ=;EndpointSuffix=core.windows.net"
    assert secrets_of({"AzureWebJobsStorage": text}) == {text, "aGVsbG8gd29ybGQ="}


def test_a_sas_token_in_the_address_of_the_share_is_a_secret() -> None:
    found = secrets_of({"FILE_SHARE": "https://x.file.core.windows.net/share?sv=2024&sig=abc%2Fdef%3D&se=2026"})
    assert set(found) == {"abc/def=", "abc%2Fdef%3D"}


def test_each_of_several_secrets_in_one_variable_is_a_secret() -> None:
    one, two = "whsec_" + "a" * 32, "a" * 30 + "=="
    assert secrets_of({"CALLBACK_SECRET": f"{one} {two}"}) == {f"{one} {two}", one, two}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
        ("DATABASE_URL", "sqlite:////var/lib/atoll/atoll.db"),
        ("FILE_SHARE", "/mnt/share/of/everybody"),
        ("DATABASE_URL", "postgresql://postgres:postgres@localhost/postgres"),
        ("PLUGIN_TOKEN", "short"),
        ("HOME", "/a/folder/of/somebody"),
    ],
)
def test_what_everybody_may_know_is_no_secret(name: str, value: str) -> None:
    assert secrets_of({name: value}) == set()


def test_a_plugins_secret_in_a_file_is_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("of-a-plugin-only\n")
    assert secrets_of({"PLUGIN_TOKEN_FILE": str(path)}) == {"of-a-plugin-only"}


def test_a_plugins_secret_file_that_is_missing_does_not_matter_here(tmp_path: Path) -> None:
    assert secrets_of({"PLUGIN_TOKEN_FILE": str(tmp_path / "none")}) == set()


SECRET = "whsec_" + "QXRvbGw5" * 4


def start(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(SECRET.encode() + ending.encode())
    assert start(monkeypatch, CALLBACK_SECRET_FILE=str(path)).callbacks.secrets == (SECRET,)
    assert mask(f"x {SECRET} y") == "x *** y"


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"\xff\xfe", "no text"), (b"x" * 70_000, "larger")],
)
def test_a_file_that_holds_no_secret_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"ATOLL_ADMIN_KEY_FILE=.*{told}"):
        start(monkeypatch, ATOLL_ADMIN_KEY_FILE=str(path))


def test_a_value_and_a_file_for_the_same_secret_are_one_too_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("a" * 40)
    with pytest.raises(SettingsError, match="both ATOLL_ADMIN_KEY and ATOLL_ADMIN_KEY_FILE are set") as refused:
        start(monkeypatch, ATOLL_ADMIN_KEY="b" * 40, ATOLL_ADMIN_KEY_FILE=str(path))
    assert "bbbb" not in refused.value.detail


@pytest.mark.parametrize(
    "reference",
    [
        "@Microsoft.KeyVault(SecretUri=https://my.vault.azure.net/secrets/name)",
        "@Microsoft.KeyVault(VaultName=my;SecretName=name)",
        " @microsoft.keyvault(VaultName=my;SecretName=name) ",
    ],
)
@pytest.mark.parametrize("name", ["ATOLL_ADMIN_KEY", "DATABASE_URL", "CALLBACK_SECRET", "FILE_SHARE", "OIDC_AUDIENCE"])
def test_a_key_vault_reference_that_was_not_resolved_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, reference: str
) -> None:
    with pytest.raises(SettingsError, match=f"{name} is a Key Vault reference that was not resolved"):
        start(monkeypatch, **{name: reference})


def test_only_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.write_text("99")
    assert start(monkeypatch, PORT_FILE=str(path)).http.port == 7071


def test_no_setting_shows_its_secret_in_its_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = start(monkeypatch, ATOLL_ADMIN_KEY="planted" * 6, DATABASE_URL="postgresql://a:planted@b/c")
    assert "planted" not in repr([vars(settings), *vars(settings).values()])
