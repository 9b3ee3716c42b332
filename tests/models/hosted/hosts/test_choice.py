"""Which host is asked next."""

from hypothesis import given
from hypothesis import strategies as st

from models.hosted.hosts.choice import Failed, Host, choose, failed_again

HOSTS = [Host(f"http://10.0.0.{number}:7071", "models") for number in range(4)]


def test_hosts_that_answer_take_turns() -> None:
    asked = [choose(HOSTS, {}, (), turn, 0.0) for turn in range(8)]
    assert asked == HOSTS + HOSTS


def test_a_host_that_failed_is_left_out_for_its_pause() -> None:
    failed = {HOSTS[0]: Failed(1, 5.0)}
    assert {choose(HOSTS, failed, (), turn, 4.9) for turn in range(8)} == set(HOSTS[1:])
    assert {choose(HOSTS, failed, (), turn, 5.0) for turn in range(8)} == set(HOSTS)


def test_where_all_have_failed_the_one_whose_pause_ends_first_is_asked() -> None:
    failed = {host: Failed(1, 10.0 - place) for place, host in enumerate(HOSTS)}
    assert choose(HOSTS, failed, (), 0, 0.0) == HOSTS[3]
    assert choose(HOSTS, failed, {HOSTS[3]}, 0, 0.0) == HOSTS[2]


def test_none_is_left_when_all_were_tried() -> None:
    assert choose(HOSTS, {}, set(HOSTS), 0, 0.0) is None
    assert choose([], {}, (), 0, 0.0) is None


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    failed, pauses = None, []
    for _ in range(8):
        failed = failed_again(failed, 100.0)
        pauses.append(failed.until_s - 100.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


@given(st.sets(st.sampled_from(HOSTS)), st.sets(st.sampled_from(HOSTS)), st.integers(0, 1000))
def test_every_host_is_tried_once_before_a_call_comes_to_nothing(down: set[Host], tried: set[Host], turn: int) -> None:
    failed = {host: Failed(1, 5.0) for host in down}
    seen = []
    while (host := choose(HOSTS, failed, tried, turn, 0.0)) is not None:
        assert host not in tried
        seen.append(host)
        tried = tried | {host}
    assert len(seen) == len(set(seen))
    assert tried == set(HOSTS)
