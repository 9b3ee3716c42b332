import json
from datetime import UTC, datetime
from typing import Any

import pytest

from common.security.audit.record import Record, make_record
from common.security.principal import ANONYMOUS, Principal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADA = Principal("key:abc", "key", frozenset(), name="Ada")


def made(target: str = "t", by: Principal = ADA, **details: Any) -> Record:
    return make_record("1", NOW, by, "thing.done", target, "done", details, address="192.0.2.1", request_id="r")


def test_it_names_who_did_what_from_where() -> None:
    record = made(model="sample")
    assert (record.actor_id, record.actor_name, record.actor_kind) == ("key:abc", "Ada", "key")
    assert (record.action, record.target, record.outcome) == ("thing.done", "t", "done")
    assert (record.address, record.request_id, record.details) == ("192.0.2.1", "r", {"model": "sample"})


def test_a_caller_without_a_key_has_no_id() -> None:
    assert (made(by=ANONYMOUS).actor_id, made(by=ANONYMOUS).actor_kind) == ("", "anonymous")


@pytest.mark.parametrize(
    "text",
    [
        "atl_abcdefghijkl_0123456789012345678901234567890",
        "postgresql://me:hunter22hunter@db/x",
        "Bearer hunter22hunter",
        "password=hunter22hunter",
    ],
)
def test_what_looks_like_a_secret_is_masked_wherever_it_stands(text: str) -> None:
    named = Principal("key:abc", "key", frozenset(), name=text)
    record = str(made(target=text, by=named, told=text, several=[text]))
    assert "hunter22" not in record
    assert "0123456789" not in record


def test_any_text_can_be_kept_by_any_database() -> None:
    record = made(target="a\x00b\ud800\nc" + "x" * 5000, long="y" * 5000, many=list(range(500)), odd=object())
    text = json.dumps([record.target, record.details])
    assert "\\u0000" not in text
    assert len(text.encode()) < 3000
    assert "\n" not in record.target
