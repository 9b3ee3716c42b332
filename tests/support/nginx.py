"""A real nginx with the configuration of `deployment/nginx`, on a free port, before hosts that tests have started.

Hosts are given by their addresses: what re-reads a name (`resolve`) needs Docker's name server and nginx 1.27.3, and is
taken out.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests.support.backends import missing
from tests.support.servers import CHECKOUT, free_port, wait_for

FOLDER = CHECKOUT / "deployment/nginx"


class Nginx:
    """One of the two sites, `dev` or `prod`.

    Attributes
    ----------
    port : where it listens, on all addresses as in a container.
    """

    def __init__(self, site: str, hosts: Sequence[str], certificate: tuple[Path, Path] | None = None) -> None:
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if program is None:
            missing("nginx is not installed (Debian: nginx-light)")
        # As root, its workers are nobody, who may not enter pytest's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="atoll-nginx-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        for name in ("nginx.conf", "proxy.conf"):
            # Folders of its own for what it keeps.
            self._write(name, (FOLDER / name).read_text(encoding="utf-8").replace(" /tmp/", f" {self.folder}/"))
        self._write("site/upstream.conf", by_address((FOLDER / site / "upstream.conf").read_text("utf-8"), hosts))
        server = re.sub(
            r"listen \d+", f"listen 127.0.0.1:{self.port}", (FOLDER / site / "server.conf").read_text("utf-8")
        )
        if certificate is not None:
            for name, path in zip(("tls_certificate", "tls_key"), certificate, strict=True):
                server = server.replace(f"/run/secrets/{name}", str(path))
        self._write("site/server.conf", server)
        self.log_file = self.folder / "log"
        with self.log_file.open("wb") as log:
            command = [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;"]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def client(self, scheme: str = "http", **more: object) -> httpx.Client:
        return httpx.Client(base_url=f"{scheme}://127.0.0.1:{self.port}", trust_env=False, timeout=60, **more)  # type: ignore[arg-type]

    def wait(self, client: httpx.Client) -> None:
        def there() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.get("/nginx-health").status_code == 204
            return False

        wait_for(there, "nginx", lambda: None if self.process.poll() is None else self.log)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def by_address(upstream: str, hosts: Sequence[str]) -> str:
    """The upstream with a server for each of `hosts` in the place of the name, its parameters kept."""
    without = re.sub(r"^ *resolver.*\n", "", upstream, flags=re.MULTILINE)
    found = re.search(r"^ *server (\S+) resolve(.*);\n", without, re.MULTILINE)
    assert found, upstream
    servers = "".join(f"    server {host}{found.group(2)};\n" for host in hosts)
    return without[: found.start()] + servers + without[found.end() :]


@contextlib.contextmanager
def nginx(site: str, hosts: Sequence[str], certificate: tuple[Path, Path] | None = None) -> Iterator[Nginx]:
    """Run one until the block ends."""
    server = Nginx(site, hosts, certificate)
    try:
        yield server
    finally:
        server.close()
