"""A server whose Redis fails in the middle of load: everybody is answered, and the cache returns by itself."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

import httpx
import pytest
import redis

from tests.support.redis_server import RedisServer
from tests.support.redis_server import redis_server as a_redis_server
from tests.support.servers import Server, wait_for

CALLERS = 4
# Answers during a fault: more than a server gives that waits for Redis in each.
MANY = 200


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    with a_redis_server() as server:
        yield server


class Load:
    """Callers who ask for new names and for known ones, until the end of `with`."""

    def __init__(self, url: str) -> None:
        self.statuses: list[int] = []
        self.errors: list[Exception] = []
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(caller,)) for caller in range(CALLERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, caller: int) -> None:
        with httpx.Client(base_url=self._url, timeout=30, trust_env=False) as client:
            for number in itertools.count():
                if self._over.is_set():
                    return
                for name in (f"{caller}-{number}", f"{caller}-{number // 2}"):
                    try:
                        got = client.post("/sample_model/predict", json={"requiredField": name})
                        assert got.json() == {"resp1": f"Hello {name}"}
                        self.statuses.append(got.status_code)
                    except Exception as exc:  # noqa: BLE001 - whatever a caller would see
                        self.errors.append(exc)

    def go_on(self) -> None:
        """Wait for many more answers."""
        wanted = len(self.statuses) + MANY
        wait_for(lambda: len(self.statuses) >= wanted or self.errors, "answers")


def size(broker: RedisServer) -> int:
    with redis.Redis.from_url(broker.url, socket_timeout=5) as client:
        found = client.dbsize()
    assert isinstance(found, int)
    return found


def configure(broker: RedisServer, name: str, value: str, *, password: str | None = None) -> None:
    with redis.Redis.from_url(broker.url, password=password) as client:
        client.config_set(name, value)
        # Those who are connected would stay known.
        client.client_kill_filter(_type="normal", skipme=True)


@contextlib.contextmanager
def killed(broker: RedisServer) -> Iterator[None]:
    broker.stop()
    try:
        yield
    finally:
        broker.start()


@contextlib.contextmanager
def paused(broker: RedisServer) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


@contextlib.contextmanager
def full(broker: RedisServer) -> Iterator[None]:
    configure(broker, "maxmemory", "1")
    try:
        yield
    finally:
        configure(broker, "maxmemory", "0")


@contextlib.contextmanager
def another_password(broker: RedisServer) -> Iterator[None]:
    configure(broker, "requirepass", "another")
    try:
        yield
    finally:
        configure(broker, "requirepass", "", password="another")  # noqa: S106 - of a server of this test


@contextlib.contextmanager
def restarted(broker: RedisServer) -> Iterator[None]:
    broker.stop()
    broker.start()
    yield


@pytest.mark.parametrize("fault", [killed, restarted, paused, full, another_password])
def test_callers_do_not_notice_and_the_cache_returns(
    broker: RedisServer,
    fault: Callable[[RedisServer], contextlib.AbstractContextManager[None]],
    start_server: Callable[..., Server],
) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "REDIS_URL": broker.url, "LOG_LEVEL": "WARNING"})
    with Load(server.url) as load:
        wait_for(lambda: size(broker) >= 10, "names in Redis")
        with fault(broker):
            load.go_on()
            assert server.get("/health/ready").status_code == 200
        before = size(broker)
        wait_for(lambda: size(broker) > before, "new names in Redis")
        load.go_on()
    assert load.errors == []
    assert set(load.statuses) == {200}


def test_what_another_server_kept_is_found_again_after_a_fault(
    broker: RedisServer, start_server: Callable[..., Server]
) -> None:
    one, other = (start_server(env={"SERVICE_MODEL": "sample", "REDIS_URL": broker.url}) for _ in range(2))
    with paused(broker):
        assert one.post("/sample_model/predict", json={"requiredField": "before"}).headers["x-cache"] == "miss"
    names = (f"after {number}" for number in itertools.count())

    def found() -> bool:
        name = next(names)
        one.post("/sample_model/predict", json={"requiredField": name})
        return other.post("/sample_model/predict", json={"requiredField": name}).headers["x-cache"] == "hit"

    wait_for(found, "a hit on the other server")
