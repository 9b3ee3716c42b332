import json
import os

import pytest

from common.settings.secrets import remember
from common.telemetry.masking import mask, mask_forms

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key atl_abcdefghijkl_AbC-_012345678901234567890 is bad", "key atl_abcdefghijkl_*** is bad"),
        (f"token {JWT}.", "token ***."),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer ***"),
        ("at postgresql://me:pass;wo?rd@db/x", "at postgresql://me:***@db/x"),
        ("redis://:hunter22@cache:6379/0", "redis://:***@cache:6379/0"),
        ("AccountName=me;AccountKey=aGVsbG8=;EndpointSuffix=x", "AccountName=me;AccountKey=***;EndpointSuffix=x"),
        ("https://x/share?sv=1&sig=hunter22%3D&se=2", "https://x/share?sv=1&sig=***&se=2"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("whsec_QXRvbGw5QXRvbGw5", "***"),
    ],
)
def test_what_has_the_form_of_a_secret_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        '{"event": "request", "path": "/keys/atl_abcdefghijkl", "status": 200}',
        "password: this field is required",
        "a basic test of token counts = 3",
        "http://host:8080/path@x",
        "alias moved number=3 previous=2",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_json_stays_json() -> None:
    event = {"detail": 'password="hunter22", sig=abcdefgh', "token": JWT, "url": "postgresql://a:b@c/d", "n": 1}
    masked = mask_forms(json.dumps(event))
    assert json.loads(masked)["n"] == 1
    assert "hunter22" not in masked
    assert "eyJ" not in masked


def test_a_remembered_secret_is_masked_in_every_spelling() -> None:
    secret = f'line one\n"two" {os.getpid()} ö'
    remember(secret)
    for text in (secret, json.dumps({"x": secret}), json.dumps({"x": secret}, ensure_ascii=False), repr([secret])):
        assert str(os.getpid()) not in mask(text)
