"""Keys are told from memory, and from the database where memory may be out of date; on every kind of database."""

import asyncio
import hmac
import threading
from collections.abc import Callable

import pytest

from common.clock import FakeClock
from common.database import Database
from common.errors import DependencyFailed, Unauthorized
from common.security.keys import verifier as module
from common.security.keys.definitions import KeyDraft
from common.security.keys.secret import digest, id_in, new_key
from common.security.keys.service import KeyService
from common.security.keys.store import KeyStore
from common.security.keys.uses import EVERY_S
from common.security.keys.verifier import STALE_S, TRUSTED_S, KeyVerifier
from common.security.scopes import Scope
from tests.common.security.keys.conftest import ADMIN, Watched, ask
from tests.support.backends import Missing, PostgresServer, missing
from tests.support.servers import wait_for

MakeKey = Callable[..., str]
ADMIN_KEY = "an-admin-key-of-more-than-32-characters"


def test_a_key_is_the_principal_that_it_was_made_for(verifier: KeyVerifier, make_key: MakeKey) -> None:
    key = make_key(name="dashboard", scopes=["predict", "train"], models=["sample"])
    found = ask(verifier, key)
    assert (found.id, found.kind, found.name) == (f"key:{id_in(key)}", "key", "dashboard")
    assert (found.scopes, found.models) == (frozenset({Scope.PREDICT, Scope.TRAIN}), frozenset({"sample"}))


def test_a_known_key_costs_no_read(verifier: KeyVerifier, make_key: MakeKey, watched: Watched) -> None:
    key = make_key()
    ask(verifier, key)
    reads = list(watched.reads)
    assert all(verifier.known(key) is not None for _ in range(100))
    assert watched.reads == reads


def test_keys_that_have_not_changed_are_confirmed_by_reading_one_row(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, clock: FakeClock
) -> None:
    key = make_key()
    ask(verifier, key)
    del watched.asked[:]
    clock.advance(TRUSTED_S)
    assert verifier.known(key) is None
    ask(verifier, key)
    assert watched.reads == ["stamp"]


def test_a_key_made_elsewhere_is_taken_at_once(verifier: KeyVerifier, make_key: MakeKey) -> None:
    ask(verifier, make_key())
    assert ask(verifier, make_key(name="later")).name == "later"


def test_a_key_revoked_elsewhere_works_no_longer_than_memory_is_trusted(
    verifier: KeyVerifier, make_key: MakeKey, service: KeyService, clock: FakeClock
) -> None:
    key = make_key()
    ask(verifier, key)
    service.revoke(key, ADMIN)
    clock.advance(TRUSTED_S)
    with pytest.raises(Unauthorized, match="was revoked at 2024-01-01 00:00 UTC"):
        ask(verifier, key)


def test_a_key_revoked_here_works_no_longer_at_all(
    verifier: KeyVerifier, make_key: MakeKey, make_service: Callable[..., KeyService]
) -> None:
    key = make_key()
    ask(verifier, key)
    make_service(on_change=verifier.look_again).revoke(key, ADMIN)
    with pytest.raises(Unauthorized, match="revoked"):
        ask(verifier, key)


def test_a_key_ends_at_its_time_though_it_is_remembered(
    verifier: KeyVerifier, make_key: MakeKey, clock: FakeClock
) -> None:
    key = make_key(expires_at="2024-01-01T00:00:02Z")
    ask(verifier, key)
    clock.advance(1.9)
    assert verifier.known(key) is not None
    clock.advance(0.1)
    assert verifier.known(key) is None
    with pytest.raises(Unauthorized, match="expired at 2024-01-01 00:00 UTC"):
        ask(verifier, key)


@pytest.mark.parametrize("text", ["atl_", "atl_0123456789ab_short", "atl_" + "x" * 100_000])
def test_what_has_only_the_begin_of_a_key_is_refused_without_a_read(
    verifier: KeyVerifier, watched: Watched, text: str
) -> None:
    assert verifier.recognises(text)
    with pytest.raises(Unauthorized, match="no whole API key"):
        ask(verifier, text)
    assert watched.asked == []


def test_an_unknown_id_and_a_wrong_secret_take_the_same_work(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    ask(verifier, key)
    done: list[str] = []

    def counted(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def counting(*given: object) -> object:
            done.append(name)
            return work(*given)

        return counting

    monkeypatch.setattr("common.security.keys.verifier.digest", counted("digest", digest))
    monkeypatch.setattr("hmac.compare_digest", counted("compare", hmac.compare_digest))
    works = []
    for credential in (new_key().text, key[:16] + new_key().text[16:]):
        del done[:], watched.asked[:]
        with pytest.raises(Unauthorized, match="no such key"):
            ask(verifier, credential)
        works.append((list(done), watched.reads))
    assert works[0] == works[1]
    assert works[0][1] == ["stamp"]


def test_the_same_wrong_key_costs_one_read_while_it_is_remembered(
    verifier: KeyVerifier, watched: Watched, clock: FakeClock
) -> None:
    credential = new_key().text
    for _ in range(50):
        with pytest.raises(Unauthorized):
            ask(verifier, credential)
    assert watched.reads == ["stamp", "all"]
    clock.advance(TRUSTED_S)
    with pytest.raises(Unauthorized):
        ask(verifier, credential)
    assert watched.reads == ["stamp", "all", "stamp"]


def test_wrong_secrets_do_not_shut_out_the_key_whose_id_they_name(verifier: KeyVerifier, make_key: MakeKey) -> None:
    key = make_key()
    for _ in range(20):
        with pytest.raises(Unauthorized):
            ask(verifier, key[:16] + new_key().text[16:])
    assert ask(verifier, key).id == f"key:{id_in(key)}"


def test_a_flood_of_unknown_keys_shares_its_reads_and_a_new_key_is_found_in_it(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(verifier, make_key())
    key = make_key(name="made in the flood")
    del watched.asked[:]
    all_are_there = threading.Event()
    stamp = watched.stamp
    monkeypatch.setattr(watched, "stamp", lambda: all_are_there.wait(30) and stamp())

    async def flood() -> list[object]:
        credentials = [new_key().text for _ in range(1000)]
        credentials[500] = key
        tasks = [asyncio.create_task(verifier.verify(credential)) for credential in credentials]
        await asyncio.sleep(0)
        all_are_there.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(flood())
    assert sum(isinstance(answer, Unauthorized) for answer in answers) == 999
    assert getattr(answers[500], "name", None) == "made in the flood"
    # The read for the first may have begun before the others came; they share the next one.
    assert watched.reads.count("stamp") <= 2


def test_what_is_remembered_of_wrong_keys_is_bounded(verifier: KeyVerifier) -> None:
    async def flood() -> None:
        await asyncio.gather(*(verifier.verify(new_key().text) for _ in range(2100)), return_exceptions=True)

    asyncio.run(flood())
    assert len(verifier._refused) <= 2048


def test_known_keys_go_on_for_a_while_when_the_database_is_away(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, clock: FakeClock
) -> None:
    key = make_key()
    ask(verifier, key)
    watched.is_away = True
    waited_s = 0.0
    while waited_s < STALE_S - 10:
        assert ask(verifier, key).id == f"key:{id_in(key)}"
        clock.advance(7)
        waited_s += 7
    clock.advance(10)
    with pytest.raises(DependencyFailed) as caught:
        ask(verifier, key)
    assert int(caught.value.headers["Retry-After"]) >= 1
    watched.is_away = False
    assert ask(verifier, key).id == f"key:{id_in(key)}"


def test_a_database_that_is_away_is_not_asked_for_each_request(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, clock: FakeClock
) -> None:
    key = make_key()
    ask(verifier, key)
    watched.is_away = True
    clock.advance(TRUSTED_S)
    del watched.asked[:]
    for _ in range(50):
        ask(verifier, key)
    assert watched.reads == ["stamp"]


def test_unknown_keys_are_told_to_come_again_when_the_database_is_away(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched
) -> None:
    key = make_key()
    watched.is_away = True
    for credential in (key, new_key().text):
        with pytest.raises(DependencyFailed, match="does not answer; try again"):
            ask(verifier, credential)
    watched.is_away = False
    assert ask(verifier, key).id == f"key:{id_in(key)}"


def test_a_database_that_hangs_holds_up_nobody_who_is_known(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    ask(verifier, key)
    monkeypatch.setattr(module, "_WAIT_IF_REMEMBERED_S", 0.05)
    monkeypatch.setattr(module, "_WAIT_S", 0.05)
    clock.advance(TRUSTED_S)
    goes_on = threading.Event()
    stamp = watched.stamp
    monkeypatch.setattr(watched, "stamp", lambda: goes_on.wait(30) and stamp())
    try:
        assert ask(verifier, key).id == f"key:{id_in(key)}"
        # Nor is it waited for by those who come next.
        assert verifier.known(key) is not None
        with pytest.raises(DependencyFailed):
            ask(verifier, new_key().text)
    finally:
        goes_on.set()


def test_the_last_use_of_a_key_is_written_once_a_minute(
    verifier: KeyVerifier, make_key: MakeKey, watched: Watched, store: KeyStore, clock: FakeClock
) -> None:
    key = make_key()
    key_id = id_in(key) or ""

    def used_at() -> object:
        record = store.get(key_id)
        return record.last_used_at if record else None

    assert used_at() is None
    ask(verifier, key)
    wait_for(lambda: used_at() == clock.now(), "the first use", lambda: None)
    first = clock.now()
    for _ in range(int(EVERY_S) - 1):
        clock.advance(1)
        ask(verifier, key)
    assert watched.asked.count("uses") == 1
    assert used_at() == first
    clock.advance(1)
    ask(verifier, key)
    wait_for(lambda: used_at() == clock.now(), "the next use", lambda: None)


def test_a_use_that_another_process_has_written_is_not_written_again(
    make_key: MakeKey, store: KeyStore, clock: FakeClock
) -> None:
    key_id = id_in(make_key()) or ""
    first = clock.now()
    store.note_uses({key_id: first})
    clock.advance(EVERY_S - 1)
    store.note_uses({key_id: clock.now()})
    record = store.get(key_id)
    assert record is not None
    assert record.last_used_at == first


def test_a_wrong_secret_is_no_use_of_a_key(verifier: KeyVerifier, make_key: MakeKey, watched: Watched) -> None:
    key = make_key()
    with pytest.raises(Unauthorized):
        ask(verifier, key[:16] + new_key().text[16:])
    assert "uses" not in watched.asked


def test_the_admin_key_of_the_settings_needs_no_database(clock: FakeClock) -> None:
    def no_database() -> Watched:
        raise AssertionError("the database was opened")

    verifier = KeyVerifier(no_database, clock, admin_key=ADMIN_KEY)
    assert verifier.recognises(ADMIN_KEY)
    found = verifier.known(ADMIN_KEY)
    assert found is not None
    assert (found.id, found.scopes, found.models) == ("key:admin", frozenset({Scope.ADMIN}), None)
    assert not verifier.recognises(ADMIN_KEY[:-1] + "x")
    assert verifier.known(ADMIN_KEY[:-1] + "x") is None


def test_an_admin_key_may_have_the_form_of_other_keys(clock: FakeClock, watched: Watched) -> None:
    admin_key = new_key().text
    verifier = KeyVerifier(lambda: watched, clock, admin_key=admin_key, gap_s=0)
    assert ask(verifier, admin_key).id == "key:admin"
    with pytest.raises(Unauthorized):
        ask(verifier, new_key().text)


def test_keys_outlive_a_postgresql_that_stops_and_comes_back(clock: FakeClock) -> None:
    try:
        server = PostgresServer()
    except Missing as exc:
        missing(str(exc))
    try:
        server.start()
        database = Database(f"{server.url}/postgres")
        database.migrate()
        store = KeyStore(database)
        service = KeyService(store, clock, models=list, has_other_way_in=False)
        key, _ = service.create(KeyDraft(name="key"), ADMIN)
        verifier = KeyVerifier(lambda: store, clock)
        ask(verifier, key)
        server.stop()
        clock.advance(TRUSTED_S)
        assert ask(verifier, key).name == "key"
        with pytest.raises(DependencyFailed):
            ask(verifier, new_key().text)
        server.start()
        with pytest.raises(Unauthorized):
            ask(verifier, new_key().text)
        assert ask(verifier, key).name == "key"
        database.close()
    finally:
        server.close()
