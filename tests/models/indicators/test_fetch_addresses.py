"""Where a pull may go: to the source, to the operator's mirror, and nowhere that either of them sends it."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from common.errors import DependencyFailed
from models._indicators.fetch_http import Fetcher


class Site:
    """Answers `/data`, leads `/to` to `leads_to`, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.leads_to = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(f"{self.path} {self.headers.get('Authorization')}")
                if self.path.startswith("/to"):
                    self.send_response(302)
                    self.send_header("Location", site.leads_to)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site() -> Iterator[Callable[[], Site]]:
    made: list[Site] = []

    def make() -> Site:
        made.append(Site())
        return made[-1]

    yield make
    for item in made:
        item.server.shutdown()
        item.server.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def pull(cache: Path, address: str, mirror: str | None = None) -> bytes:
    with Fetcher(cache, mirror=mirror, sleep=lambda _: None) as fetcher:
        return fetcher.get(address, {"a": "1"}, bytes)


def test_a_mirror_that_the_operator_names_may_be_private(tmp_path: Path, site: Callable[[], Site]) -> None:
    own = site()
    assert pull(tmp_path, f"{own.url}/data", mirror=own.url) == b"ok"


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/data", "https://127.0.0.1:1/data", "https://localhost:1/", "https://169.254.169.254/metadata"],
)
def test_a_private_address_that_nobody_named_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(DependencyFailed, match=r"private address|plain http"):
        pull(tmp_path, address)


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest/meta-data", "http://localhost:{port}/x", "file:///etc/passwd"]
)
def test_a_source_cannot_send_a_pull_to_this_network(tmp_path: Path, site: Callable[[], Site], place: str) -> None:
    own, inside = site(), site()
    own.leads_to = place.format(port=inside.server.server_port)
    with pytest.raises(DependencyFailed):
        pull(tmp_path, f"{own.url}/to", mirror=own.url)
    assert inside.asked == []


def test_a_source_may_lead_on_within_itself_but_not_for_ever(tmp_path: Path, site: Callable[[], Site]) -> None:
    own = site()
    own.leads_to = f"{own.url}/data"
    assert pull(tmp_path, f"{own.url}/to", mirror=own.url) == b"ok"
    own.leads_to = f"{own.url}/to"
    with pytest.raises(DependencyFailed, match="leads on more than 5 times"):
        pull(tmp_path, f"{own.url}/to/again", mirror=own.url)


def test_a_proxy_of_the_environment_is_asked_and_gets_no_private_address(
    tmp_path: Path, site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = site()
    monkeypatch.setenv("http_proxy", proxy.url)
    with pytest.raises(DependencyFailed, match="plain http"):
        pull(tmp_path, "http://source.example/data")
    with pytest.raises(DependencyFailed, match=r"private address|plain http"):
        pull(tmp_path, "http://10.0.0.1/data")
    assert proxy.asked == []


def test_no_password_of_this_machine_is_sent_along(
    tmp_path: Path, site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = site()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password planted\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    pull(tmp_path / "cache", f"{own.url}/data", mirror=own.url)
    assert own.asked == ["/data?a=1 None"]
