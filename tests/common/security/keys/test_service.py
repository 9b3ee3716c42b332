"""Who may make which keys, and revoke which; on every kind of database."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.clock import FakeClock
from common.database import Database
from common.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from common.security.audit.tables import records
from common.security.keys import service as module
from common.security.keys import store as sql
from common.security.keys.definitions import KeyDraft
from common.security.keys.record import KEPT, KeyRecord, KeyState
from common.security.keys.secret import digest, id_in, new_key
from common.security.keys.service import KeyService
from common.security.keys.store import KeyStore
from common.security.keys.tables import api_keys
from common.security.principal import Principal
from common.security.scopes import Scope
from tests.common.security.keys.conftest import ADMIN

MakeKey = Callable[..., str]


def draft(**fields: Any) -> KeyDraft:
    return KeyDraft.model_validate({"name": "key", **fields})


def test_a_key_is_kept_as_a_hash_and_shown_by_its_begin(service: KeyService, store: KeyStore) -> None:
    text, info = service.create(draft(name=" dashboard ", models=["sample"], expires_in_days=2), ADMIN)
    record = store.get(info.id)
    assert record is not None
    assert record.digest == digest(text)
    assert text[17:] not in repr(record)
    assert info.model_dump(mode="json") == {
        "id": id_in(text),
        "prefix": text[:16],
        "name": "dashboard",
        "state": "active",
        "scopes": ["predict"],
        "models": ["sample"],
        "created_at": "2024-01-01T00:00:00Z",
        "created_by": "oidc:admin",
        "expires_at": "2024-01-03T00:00:00Z",
        "last_used_at": None,
        "revoked_at": None,
        "revoked_by": None,
    }
    assert service.get(info.id) == service.get(info.prefix) == info


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": ""}, "1 to 100 printable"),
        ({"name": "a\nb"}, "1 to 100 printable"),
        ({"name": "x" * 101}, "1 to 100 printable"),
        ({"scopes": []}, "at least one of predict, train, submit, admin"),
        ({"scopes": ["root"]}, "'predict', 'train', 'submit' or 'admin'"),
        ({"models": []}, "at least one model"),
        ({"expires_in_days": 0}, "greater than"),
        ({"expires_in_days": 1e9}, "less than"),
        ({"expires_at": "2024-02-01T00:00:00"}, "timezone"),
        ({"expires_at": "2024-02-01T00:00:00Z", "expires_in_days": 1}, "send one of them"),
        ({"secret": "mine"}, "not permitted"),
    ],
)
def test_a_draft_that_cannot_be_says_what_can(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        draft(**fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"models": ["sample", "nope"]}, "no model 'nope'; there are housing, sample"),
        ({"expires_at": "2024-01-01T00:00:00Z"}, "has passed; it is 2024-01-01T00:00Z here"),
        ({"expires_at": "0001-01-01T00:00:00+23:59"}, "has passed"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "more than 3650 days away"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(service: KeyService, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        service.create(draft(**fields), ADMIN)
    assert service.list().keys == []


def _caller(*scopes: Scope, models: frozenset[str] | None = None) -> Principal:
    return Principal("key:other", "key", frozenset(scopes), models)


@pytest.mark.parametrize(
    ("by", "fields"),
    [
        (_caller(Scope.PREDICT), {"scopes": ["train"]}),
        (_caller(Scope.TRAIN, Scope.PREDICT, Scope.SUBMIT), {"scopes": ["admin"]}),
        (_caller(), {"scopes": ["predict"]}),
        (_caller(Scope.ADMIN, models=frozenset({"sample"})), {"scopes": ["predict"]}),
        (_caller(Scope.ADMIN, models=frozenset({"sample"})), {"models": ["sample", "housing"]}),
    ],
)
def test_nobody_makes_a_key_that_may_more_than_they_may(
    service: KeyService, by: Principal, fields: dict[str, Any]
) -> None:
    with pytest.raises(Forbidden, match="no more than who makes it"):
        service.create(draft(**fields), by)
    assert service.list().keys == []


def test_whoever_has_some_models_makes_keys_for_some_of_them(service: KeyService) -> None:
    _, info = service.create(draft(models=["sample"]), _caller(Scope.ADMIN, models=frozenset({"sample", "housing"})))
    assert info.models == ["sample"]


def test_revoking_is_for_good_and_again_changes_nothing(
    service: KeyService, make_key: MakeKey, clock: FakeClock
) -> None:
    key = make_key()
    first = service.revoke(key, ADMIN)
    clock.advance(60)
    assert service.revoke(key, _caller(Scope.ADMIN)) == first
    assert (first.state, first.revoked_by) == (KeyState.REVOKED, "oidc:admin")


@pytest.mark.parametrize("named", ["0123456789ab", "nobody", "", "x" * 10_000, "\x00"])
def test_what_is_no_key_is_not_found(service: KeyService, named: str) -> None:
    for ask in (lambda: service.get(named), lambda: service.revoke(named, ADMIN), lambda: service.list(before=named)):
        with pytest.raises(NotFound, match="there is no key"):
            ask()


def test_a_secret_that_was_mistyped_is_not_shown_back(service: KeyService) -> None:
    key = new_key().text
    with pytest.raises(NotFound) as caught:
        service.get(key[:-1])
    assert key[17:30] not in caught.value.detail


def test_the_last_admin_key_stays_while_there_is_no_other_way_in(service: KeyService, make_key: MakeKey) -> None:
    make_key()
    expired = make_key(scopes=["admin"], expires_in_days=0.001)
    last = make_key(scopes=["admin"])
    service.revoke(expired, ADMIN)
    with pytest.raises(Conflict, match=r"is the last key with the scope admin.*set ATOLL_ADMIN_KEY"):
        service.revoke(last, ADMIN)
    make_key(scopes=["admin"])
    assert service.revoke(last, ADMIN).state is KeyState.REVOKED


def test_an_expired_admin_key_is_no_other_way_in(service: KeyService, make_key: MakeKey, clock: FakeClock) -> None:
    make_key(scopes=["admin"], expires_in_days=1)
    last = make_key(scopes=["admin"])
    clock.advance(86400)
    with pytest.raises(Conflict):
        service.revoke(last, ADMIN)


def test_an_admin_key_for_some_models_does_not_make_another_one_dispensable(
    service: KeyService, make_key: MakeKey
) -> None:
    whole = id_in(make_key(scopes=[Scope.ADMIN]))
    some = id_in(make_key(scopes=[Scope.ADMIN], models=["sample"]))
    assert whole
    assert some
    with pytest.raises(Conflict, match="is the last key with the scope admin"):
        service.revoke(whole, ADMIN)
    assert service.revoke(some, ADMIN).state is KeyState.REVOKED


def test_nobody_revokes_a_key_for_models_that_theirs_is_not_for(service: KeyService, make_key: MakeKey) -> None:
    by = Principal("key:some", "key", frozenset({Scope.ADMIN}), frozenset({"sample"}))
    for models in (None, ["housing"], ["sample", "housing"]):
        key_id = id_in(make_key(models=models))
        assert key_id
        with pytest.raises(Forbidden, match="is for models that your key is not for"):
            service.revoke(key_id, by)
        assert service.get(key_id).state is KeyState.ACTIVE
    key_id = id_in(make_key(models=["sample"]))
    assert key_id
    assert service.revoke(key_id, by).state is KeyState.REVOKED


def test_the_last_admin_key_can_be_revoked_where_there_is_another_way_in(
    make_service: Callable[..., KeyService], make_key: MakeKey
) -> None:
    last = make_key(scopes=["admin"])
    assert make_service(has_other_way_in=True).revoke(last, ADMIN).state is KeyState.REVOKED


def test_two_admins_who_revoke_each_other_at_once_leave_one(service: KeyService, make_key: MakeKey) -> None:
    keys = [make_key(scopes=["admin"]) for _ in range(2)]
    together, refused = threading.Barrier(2), []

    def revoke(key: str) -> None:
        together.wait()
        try:
            service.revoke(key, ADMIN)
        except Conflict as exc:
            refused.append(exc)

    threads = [threading.Thread(target=revoke, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(service.list().keys) == 1


def test_keys_are_listed_newest_first_page_by_page(service: KeyService, make_key: MakeKey, clock: FakeClock) -> None:
    made = []
    for number in range(5):
        # Two in the same moment.
        clock.advance(number % 2)
        made.append(id_in(make_key(name=str(number))))
    first = service.list(limit=2)
    second = service.list(limit=2, before=first.next)
    last = service.list(limit=2, before=second.next)
    found = [key.id for page in (first, second, last) for key in page.keys]
    assert set(found) == set(made)
    assert len(found) == 5
    assert found[0] in made[-2:]
    assert last.next is None


def test_revoked_keys_are_listed_where_asked_for_and_for_a_while(
    service: KeyService, make_key: MakeKey, clock: FakeClock
) -> None:
    key, stays = make_key(), make_key()
    service.revoke(key, ADMIN)
    assert [found.id for found in service.list().keys] == [id_in(stays)]
    assert {found.state for found in service.list(with_revoked=True).keys} == {KeyState.ACTIVE, KeyState.REVOKED}
    clock.advance((KEPT + timedelta(seconds=1)).total_seconds())
    assert [found.id for found in service.list(with_revoked=True).keys] == [id_in(stays)]


def test_what_ended_long_ago_is_removed_when_keys_change(
    service: KeyService, store: KeyStore, make_key: MakeKey, clock: FakeClock
) -> None:
    revoked, expired = make_key(), make_key(expires_in_days=1)
    service.revoke(revoked, ADMIN)
    clock.advance((KEPT + timedelta(days=2)).total_seconds())
    stays = make_key()
    assert [record.id for record in store.all()] == [id_in(stays)]
    assert service.list(with_revoked=True).keys[0].id == id_in(stays)
    with pytest.raises(NotFound):
        service.get(expired)


def test_an_expired_key_is_listed_as_such(service: KeyService, make_key: MakeKey, clock: FakeClock) -> None:
    make_key(expires_in_days=1)
    clock.advance(86400)
    assert [key.state for key in service.list().keys] == [KeyState.EXPIRED]


def test_there_is_an_end_to_the_number_of_keys(
    service: KeyService, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEYS", 2)
    make_key()
    make_key()
    with pytest.raises(Conflict, match="there are 2 keys"):
        make_key()


def test_queued_work_acts_as_its_key_until_that_is_revoked(service: KeyService, make_key: MakeKey) -> None:
    key = make_key(scopes=["train"], models=["sample"])
    key_id = id_in(key) or ""
    found = service.principal(key_id)
    assert (found.id, found.scopes, found.models) == (f"key:{key_id}", frozenset({"train"}), frozenset({"sample"}))
    service.revoke(key, ADMIN)
    with pytest.raises(Unauthorized, match="revoked"):
        service.principal(key_id)
    with pytest.raises(Unauthorized, match="no key atl_0123456789ab any more"):
        service.principal("0123456789ab")


def test_a_key_without_scopes_can_be_kept_and_may_nothing(
    service: KeyService, store: KeyStore, clock: FakeClock
) -> None:
    made = new_key()
    record = KeyRecord(made.id, made.digest, "none", frozenset(), None, clock.now(), "test")
    store.change(lambda connection: sql.insert(connection, record), clock.now())
    assert store.get(made.id) == record
    assert not any(service.principal(made.id).may(scope) for scope in Scope)


def test_a_scope_that_this_version_does_not_know_means_nothing(
    store: KeyStore, database: Database, make_key: MakeKey
) -> None:
    key_id = id_in(make_key()) or ""
    with database.transaction() as connection:
        connection.execute(api_keys.update().values(scopes=["predict", "fly"]))
    record = store.get(key_id)
    assert record is not None
    assert record.scopes == {Scope.PREDICT}


def test_making_and_revoking_keys_is_audited_without_their_secrets(
    service: KeyService, make_key: MakeKey, database: Database
) -> None:
    key = make_key(name="dashboard")
    service.revoke(key, ADMIN)
    with database.reading() as connection:
        rows = connection.execute(records.select()).all()
    assert sorted(row.action for row in rows) == ["key.created", "key.revoked"]
    assert {row.target for row in rows} == {key[:16]}
    assert key[17:] not in repr(rows)
