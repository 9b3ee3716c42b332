"""Which values are secrets, and secrets by reference."""

from pathlib import Path

import pytest

from common.settings.secrets import secrets_of


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
    one, two = "whsec_" + "a" * 32, "whsec_" + "b" * 32
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
