"""What is remembered of tokens that were verified."""

from hashlib import sha256

from common.clock import FakeClock
from common.security.principal import Principal
from common.security.tokens.memory import Verified

WHO = Principal(id="oidc:1:a", kind="token", scopes=frozenset())


def end_s(clock: FakeClock) -> float:
    return clock.now().timestamp() + 3600


def test_the_tokens_that_were_not_used_for_longest_go_first(clock: FakeClock) -> None:
    kept = Verified(clock, entries=3)
    for token in "abc":
        kept.put(token, WHO, generation=1, ends_s=end_s(clock))
    kept.get("a", 1)
    kept.put("d", WHO, generation=1, ends_s=end_s(clock))
    assert len(kept) == 3
    assert [token for token in "abcd" if kept.get(token, 1)] == ["a", "c", "d"]


def test_other_keys_of_the_issuers_make_it_forget(clock: FakeClock) -> None:
    kept = Verified(clock)
    kept.put("a", WHO, generation=1, ends_s=end_s(clock))
    assert kept.get("a", 2) is None
    assert len(kept) == 0


def test_a_wall_clock_that_is_set_back_prolongs_nothing(clock: FakeClock) -> None:
    kept = Verified(clock)
    kept.put("a", WHO, generation=1, ends_s=end_s(clock))
    clock.jump(-7200)
    clock.advance(301)
    assert kept.get("a", 1) is None


def test_the_token_itself_is_not_kept(clock: FakeClock) -> None:
    kept = Verified(clock)
    kept.put("planted", WHO, generation=1, ends_s=end_s(clock))
    assert "planted" not in repr(vars(kept))
    assert sha256(b"planted").digest() in vars(kept)["_entries"]
