"""Calls to slurmrestd: kept connections, a token that may be renewed, an end to every call."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx

from common.clock import Clock, SystemClock
from common.submission.config import SecretMissing, read_secret
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.slurm.rest import shapes, versions
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.failures import Kind, has_ended, judge

logging.getLogger("httpx").setLevel(logging.WARNING)

# The list of all jobs of a large cluster; each takes some 4 kB.
_ANSWER_BYTES = 1 << 30
_CONNECTIONS = 8


class NoSuchJob(Exception):
    """The cluster does not know (any more) what was asked about, or it has ended."""


class _NotServed(ClusterDown):
    """There is nothing at this address: another version, or no accounting."""


class RestClient:
    """Speaks to one slurmrestd. May be used by any thread.

    Parameters
    ----------
    transport : for tests, what carries the requests.
    """

    def __init__(
        self, config: SlurmRestConfig, *, clock: Clock | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._transport = transport
        self._http: httpx.Client | None = None
        self._version = versions.parse(config.api_version) if config.api_version else None

    @property
    def version(self) -> versions.Version:
        """Of the API that is spoken; asked for once where it is not configured."""
        if self._version is None:
            answer = self._send("GET", "/openapi/v3", self._config.user)
            paths = answer.get("paths")
            found = versions.choose(paths) if isinstance(paths, dict) else None
            if found is None:
                raise ClusterDown(f"{self._where} lists no version of Slurm's API; set api_version")
            self._version = found
        return self._version

    def slurm(self, method: str, path: str, *, user: str | None = None, body: Any = None) -> dict[str, Any]:
        """What the controller answers.

        Raises
        ------
        ClusterDown, ClusterRefused, NoSuchJob
        """
        return self._send(method, f"/slurm/{versions.show(self.version)}/{path}", user or self._config.user, body=body)

    def accounting(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """What slurmdbd answers; it is only ever read.

        Raises
        ------
        ClusterDown, ClusterRefused, NoSuchJob
        """
        where = f"/slurmdb/{versions.show(self.version)}/{path}"
        try:
            return self._send("GET", where, self._config.user, query=query)
        except _NotServed:
            raise ClusterDown(
                f"{self._where} serves no accounting; if the cluster has none, set accounting = false in "
                f"[{self._config.name}]"
            ) from None

    def close(self) -> None:
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None

    @property
    def _where(self) -> str:
        return f"slurmrestd of {self._config.name}"

    def _send(
        self, method: str, path: str, user: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        status, content = self._exchange(method, path, user, body, query)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        told = shapes.errors(answer) if isinstance(answer, dict) else None
        failure = judge(status, told, content[:2000].decode(errors="replace"))
        if isinstance(answer, dict) and failure.kind is Kind.FINE:
            return answer
        # A job that is accepted although it cannot begin now: it waits, and Slurm says why.
        if isinstance(answer, dict) and status < 300 and method == "POST" and shapes.job_id(answer):
            return answer
        raise self._error(failure.kind, failure.said, user)

    def _error(self, kind: Kind, said: str, user: str) -> Exception:
        if kind in (Kind.UNKNOWN_JOB, Kind.ENDED):
            return NoSuchJob(said)
        if kind is Kind.REFUSED:
            return ClusterRefused(f"{self._config.name} says: {said}")
        if kind is Kind.TOKEN:
            return ClusterDown(f"{self._where} does not take the token: {said}. {self._renew(user)}")
        if kind is Kind.TOKEN_OR_DOWN:
            return ClusterDown(
                f"{self._where} says: {said}. Its controller does not answer, or does not take the token. "
                f"If it is the token: {self._renew(user)}"
            )
        if kind is Kind.VERSION:
            if self._config.api_version is None:
                # It may have been upgraded: it is asked anew.
                self._version = None
            return _NotServed(f"{self._where} says: {said}. Ask for a version that it serves: api_version")
        return ClusterDown(f"{self._where} says: {said}")

    def _renew(self, user: str) -> str:
        return (
            f"Make a new one (scontrol token username={user} lifespan=86400) and put it where token in "
            f"[{self._config.name}] leads; tasks wait until then"
        )

    def _token(self, user: str) -> str:
        try:
            token = read_secret(self._config.token).removeprefix("SLURM_JWT=")
        except SecretMissing as exc:
            raise ClusterDown(f"there is no token for {self._where}: {exc}. {self._renew(user)}") from None
        if not token.isascii() or not token.isprintable():
            raise ClusterDown(f"the token for {self._where} is none. {self._renew(user)}")
        if has_ended(token, self._clock.now()):
            raise ClusterDown(f"the token for {self._where} has expired. {self._renew(user)}")
        return token

    def _exchange(
        self, method: str, path: str, user: str, body: Any, query: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        """Status and body; all of it within `timeout_s`, where a limit a read would let an answer trickle for ever."""
        ends_s = time.monotonic() + self._config.timeout_s
        headers = {"X-SLURM-USER-NAME": user, "X-SLURM-USER-TOKEN": self._token(user)}
        content = bytearray()
        try:
            with self._client().stream(method, path, headers=headers, json=body, params=query) as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if time.monotonic() > ends_s:
                        raise ClusterDown(f"{self._where} did not answer within {self._config.timeout_s:g} s")
                    if len(content) > _ANSWER_BYTES:
                        raise ClusterDown(f"{self._where} answers more than {_ANSWER_BYTES} bytes")
                return answer.status_code, bytes(content)
        except httpx.TimeoutException:
            raise ClusterDown(f"{self._where} did not answer within {self._config.timeout_s:g} s") from None
        except httpx.HTTPError as exc:
            said = str(exc).partition("\n")[0][:200] or type(exc).__name__
            raise ClusterDown(f"{self._where} cannot be reached at {self._config.url}: {said}") from None

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = httpx.Client(
                    base_url=self._config.url,
                    verify=_trusted(self._config.ca_file),
                    timeout=self._config.timeout_s,
                    limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
                    headers={"Accept": "application/json"},
                    trust_env=False,
                    transport=self._transport,
                )
            return self._http


def _trusted(ca_file: str | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
