from collections import OrderedDict

import orjson
import psutil
from hypothesis import given
from hypothesis import strategies as st

from common.serving.cache import _OVERHEAD_BYTES, ByteCache

KEYS = st.integers(0, 9).map(lambda number: bytes([number]))
# Small enough for some to be kept, large enough for several small ones to go for a large one.
BOUNDS = st.integers(800, 2400)
VALUES = st.sampled_from([0, 50, 300, 500]).map(bytes)
OPERATIONS = st.lists(st.tuples(KEYS, st.one_of(VALUES, st.none())), min_size=15, max_size=60)


class Model:
    """What the cache should do, written as plainly as possible."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.entries: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, key: bytes) -> bytes | None:
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        if cost(value) > self.max_bytes // 4:
            return
        self.entries[key] = value
        self.entries.move_to_end(key)
        while sum(map(cost, self.entries.values())) > self.max_bytes:
            self.entries.popitem(last=False)


def cost(value: bytes) -> int:
    return len(value) + _OVERHEAD_BYTES


@given(BOUNDS, OPERATIONS)
def test_it_never_holds_more_than_its_bound(max_bytes: int, operations: list[tuple[bytes, bytes | None]]) -> None:
    cache = ByteCache(max_bytes)
    for key, value in operations:
        if value is None:
            cache.get(key)
        else:
            cache.put(key, value)
        assert cache.size_bytes <= max_bytes


@given(BOUNDS, OPERATIONS)
def test_the_least_recently_used_goes_first(max_bytes: int, operations: list[tuple[bytes, bytes | None]]) -> None:
    cache, model = ByteCache(max_bytes), Model(max_bytes)
    for key, value in operations:
        if value is None:
            assert cache.get(key) == model.get(key)
        else:
            cache.put(key, value)
            model.put(key, value)
    assert {key: cache.get(key) for key in model.entries} == model.entries
    assert len(cache) == len(model.entries)


@given(BOUNDS, OPERATIONS)
def test_its_size_is_that_of_its_entries(max_bytes: int, operations: list[tuple[bytes, bytes | None]]) -> None:
    cache, model = ByteCache(max_bytes), Model(max_bytes)
    for key, value in operations:
        if value is not None:
            cache.put(key, value)
            model.put(key, value)
    assert cache.size_bytes == sum(map(cost, model.entries.values()))


def test_a_value_larger_than_a_quarter_is_not_kept() -> None:
    cache = ByteCache(4000)
    cache.put(b"key", bytes(1000))
    assert cache.get(b"key") is None


def test_a_value_too_large_to_keep_throws_nothing_out() -> None:
    cache = ByteCache(4000)
    cache.put(b"small", b"1")
    cache.put(b"large", bytes(3999))
    assert cache.get(b"small") == b"1"


def test_a_new_value_replaces_the_old_one() -> None:
    cache = ByteCache(4000)
    cache.put(b"key", b"old")
    cache.put(b"key", b"newer")
    assert cache.get(b"key") == b"newer"
    assert len(cache) == 1


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = ByteCache(0)
    cache.put(b"key", b"")
    assert len(cache) == 0


def test_what_is_kept_takes_about_the_memory_that_is_counted() -> None:
    cache = ByteCache(100_000_000)
    score = {"label": "POSITIVE", "score": 0.75}
    process = psutil.Process()
    before = process.memory_info().rss
    for number in range(20_000):
        cache.put(number.to_bytes(16, "big"), orjson.dumps([score, score]))
    # Not that of the buffers that the values were written in, which is ten times as much.
    assert process.memory_info().rss - before < 3 * cache.size_bytes
