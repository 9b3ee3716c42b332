"""A real Prometheus for tests, on a free port, with the configuration of `deployment/prometheus`."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types of its own

from benchmarks.dashboards.prometheus import NoPrometheus, Prometheus
from common.orphans import make_folder
from tests.support.backends import Missing, missing
from tests.support.servers import CHECKOUT, free_port

CONFIGURATION = CHECKOUT / "deployment" / "prometheus" / "prometheus.yml"
_START_S = 30.0


class PrometheusServer:
    """Scrapes from `start` to `close`, and forgets all then."""

    def __init__(self) -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            raise Missing("Prometheus is not installed: no prometheus on PATH; `apt install prometheus` brings it")
        self._folder = make_folder("atoll-prometheus-")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            binary,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, urls: Mapping[str, Sequence[str]], key: str | None = None, *, interval_s: float = 1.0) -> None:
        """Start it, and wait until each URL was scraped once. Raises `RuntimeError` where that does not happen.

        Parameters
        ----------
        urls : by the name of a job in `prometheus.yml`, what is scraped in place of the containers; jobs that are not
            named are left out.
        key : what Atoll is shown; None where it is open.
        interval_s : between scrapes, and between looks at the rules.
        """
        key_file = None if key is None else self._folder / "key"
        if key_file is not None:
            key_file.write_text(str(key))
        settings = configuration(urls, key_file, interval_s)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        with Prometheus(self.url) as asked:
            while not _scrapes(asked):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"Prometheus did not start: {(self._folder / 'log').read_text()[-2000:]}")
                time.sleep(0.1)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def prometheus_server() -> Iterator[PrometheusServer]:
    """A Prometheus that can be started; skips where it is not installed."""
    try:
        server = PrometheusServer()
    except Missing as exc:
        missing(str(exc))
    try:
        yield server
    finally:
        server.close()


def _scrapes(asked: Prometheus) -> bool:
    with contextlib.suppress(NoPrometheus):
        targets = asked.targets()
        return bool(targets) and all(target["health"] == "up" for target in targets)
    return False


def configuration(urls: Mapping[str, Sequence[str]], key_file: Path | None, interval_s: float) -> dict[str, Any]:
    """`prometheus.yml`, with these addresses in place of names of containers, and its rules."""
    found: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    every = f"{int(interval_s * 1000)}ms"
    found["global"] |= {"scrape_interval": every, "evaluation_interval": every, "scrape_timeout": every}
    found["rule_files"] = [str(CONFIGURATION.parent / name) for name in found["rule_files"]]
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    for name, found_at in urls.items():
        del jobs[name]["dns_sd_configs"], jobs[name]["authorization"]
        jobs[name]["static_configs"] = [{"targets": [url.removeprefix("http://") for url in found_at]}]
        jobs[name] |= {"authorization": {"credentials_file": str(key_file)}} if key_file else {}
    found["scrape_configs"] = [jobs[name] for name in urls]
    return found
