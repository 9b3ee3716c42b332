"""The local host as a person runs it."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from common.version import VERSION
from tests.support.servers import Server, run_host

ALONE = {"SERVICE_MODEL": "sample"}


def test_the_first_lines_name_version_address_processes_and_state(start_server: Callable[..., Server]) -> None:
    server = start_server(env=ALONE)
    lines = server.log.splitlines()
    state = server.log_file.parent
    assert lines[0] == f"Atoll {VERSION}"
    console = f"in a browser the console; API reference {server.url}/docs"
    assert lines[1] == f"  address   {server.url}   ({console})"
    assert lines[2].split() == ["processes", "1"]
    assert lines[3] == "  access    from this machine without a key"
    assert lines[4] == f"  state     {state}   (share {state}/share)"


def test_port_0_picks_a_free_port(start_server: Callable[..., Server]) -> None:
    first, second = start_server(env=ALONE), start_server(env=ALONE)
    assert first.url != second.url
    assert [server.get("/").status_code for server in (first, second)] == [200, 200]


def test_a_server_as_it_comes_tells_what_it_answered(start_server: Callable[..., Server]) -> None:
    server = start_server(env=ALONE)
    server.post("/sample_model/predict", json={"requiredField": "you"})
    page = server.get("/metrics").text
    assert 'atoll_http_requests_total{method="POST",route="/sample_model/predict",status="200"} 1.0' in page
    assert 'atoll_cache_items_total{model="sample",outcome="miss"} 1.0' in page


def test_an_option_counts_before_the_setting(start_server: Callable[..., Server]) -> None:
    server = start_server("--port", "0", "--host", "127.0.0.1", env=ALONE | {"PORT": "1", "HOST": "203.0.113.1"})
    assert server.url.startswith("http://127.0.0.1:")


def test_a_port_in_use_ends_the_start_with_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = run_host(tmp_path, env={"PORT": str(port)})
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"atoll: cannot listen on 127.0.0.1:{port}: Address already in use")


def test_an_address_that_is_not_of_this_machine_ends_the_start_with_one_clear_line(tmp_path: Path) -> None:
    run = run_host(tmp_path, env={"HOST": "203.0.113.1", "PORT": "7071"})
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "cannot listen on 203.0.113.1:7071" in run.stderr


def test_a_host_that_cannot_be_resolved_ends_the_start_with_one_clear_line(tmp_path: Path) -> None:
    run = run_host(tmp_path, env={"HOST": "no-such-host.invalid"})
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "no-such-host.invalid" in run.stderr


@pytest.mark.parametrize(("name", "value"), [("PORT", "web"), ("WORKERS", "0"), ("LOG_FORMAT", "xml")])
def test_a_wrong_setting_ends_the_start_with_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    run = run_host(tmp_path, env={name: value})
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"atoll: settings are wrong: {name}='{value}'")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--ssl-keyfile", "key.pem"], "both --ssl-keyfile and --ssl-certfile"),
        (["--ssl-keyfile", "no.pem", "--ssl-certfile", "no.pem"], "no.pem is not a file"),
    ],
)
def test_tls_files_that_are_missing_end_the_start(tmp_path: Path, options: list[str], told: str) -> None:
    run = run_host(tmp_path, *options)
    assert run.returncode == 1
    assert told in run.stderr


def test_help_lists_the_options_and_their_settings(tmp_path: Path) -> None:
    run = run_host(tmp_path, "--help")
    assert run.returncode == 0
    for option in ("--host", "--port", "--workers", "--reload", "--ssl-keyfile", "--ssl-certfile"):
        assert option in run.stdout
    assert "[PORT, 7071]" in run.stdout


@pytest.mark.parametrize("options", [["--no-such-option"], ["--port", "web"], ["--workers", "0"]])
def test_wrong_usage_ends_with_2(tmp_path: Path, options: list[str]) -> None:
    assert run_host(tmp_path, *options).returncode == 2


def test_ipv6_is_served(start_server: Callable[..., Server]) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = start_server(env=ALONE | {"HOST": "::1"})
    assert server.url.startswith("http://[::1]:")
    assert server.get("/").status_code == 200


def test_the_server_does_not_tell_what_it_is_made_of(sample_server: Server) -> None:
    assert "server" not in sample_server.get("/").headers


def test_a_connection_is_kept_for_the_next_request(sample_server: Server) -> None:
    streams = []
    with httpx.Client(base_url=sample_server.url, trust_env=False) as client:
        for _ in range(2):
            response = client.get("/health/live")
            streams.append(response.extensions["network_stream"].get_extra_info("socket").getsockname())
    assert streams[0] == streams[1]


def test_a_connection_that_rests_is_not_closed_before_proxies_close_theirs(sample_server: Server) -> None:
    sockets = []
    patient = httpx.Limits(keepalive_expiry=None)
    with httpx.Client(base_url=sample_server.url, trust_env=False, limits=patient) as client:
        for pause_s in (6, 0):
            response = client.get("/health/live")
            sockets.append(response.extensions["network_stream"].get_extra_info("socket").getsockname())
            time.sleep(pause_s)
    assert sockets[0] == sockets[1]


def test_what_is_no_http_is_answered_400_and_harms_nobody(sample_server: Server) -> None:
    host, port = sample_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert sample_server.get("/health/live").status_code == 200
