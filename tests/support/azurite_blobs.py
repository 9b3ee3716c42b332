"""A real blob service: Azurite, with one container."""

import base64
import hashlib
import hmac
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx

from common.orphans import make_folder
from tests.support.backends import Missing, azurite_program, missing
from tests.support.servers import free_port

ACCOUNT, CONTAINER = "devstoreaccount1", "atoll-tasks"
# Azurite's account and key, the same for everybody: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-12-02"
_START_S = 60.0


class AzuriteBlobs:
    """Serves until `close`; tests skip, or fail, where Azurite is not installed.

    Attributes
    ----------
    url : of the account.
    """

    def __init__(self) -> None:
        try:
            program = azurite_program("azurite-blob")
        except Missing as exc:
            missing(str(exc))
        self._folder = make_folder("atoll-azurite-blobs-")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(self._folder)]
        self._log = self._folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, *where, "--skipApiVersionCheck", "--disableTelemetry", "--silent"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._make_container()

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_container(self) -> None:
        until = time.monotonic() + _START_S
        while True:
            try:
                answer = httpx.put(f"{self.url}/{CONTAINER}?restype=container", headers=_shared_key(), trust_env=False)
            except httpx.TransportError:
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < until, self._log.read_text()[-2000:]
                time.sleep(0.05)
                continue
            assert answer.status_code == 201, answer.text
            return


def _shared_key() -> dict[str, str]:
    """The headers of "Create Container", signed as "Authorize with Shared Key" says."""
    headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": _VERSION}
    canonical = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    resource = f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
    text = "PUT" + "\n" * 12 + canonical + resource
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return {**headers, "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"}
