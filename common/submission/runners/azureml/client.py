"""Calls to Azure Resource Manager, and to the blobs of one container."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, Any
from xml.etree import ElementTree

import httpx

from common.errors import AtollError
from common.submission.config import SecretMissing, read_token
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import LogPart
from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.azureml.signing import VERSION, BadKey, signed
from common.submission.runners.objects.manifest import without_signatures

# httpx would log every address, its signature included.
logging.getLogger("httpx").setLevel(logging.WARNING)

_SCOPE = "/.default"
_SHOWN_CHARS = 300
_CHUNK_BYTES = 1 << 20
# Atoll's own signatures are used at once.
_OWN_S = 900


class Manager:
    """Azure Resource Manager, as far as a workspace goes. Connections are kept."""

    def __init__(self, config: AzureMlConfig) -> None:
        self._config = config
        self._http = _client(config)
        self._lock = threading.Lock()
        self._credential: Any = None

    def get(self, path: str, action: str, query: Mapping[str, str] | None = None) -> Any:
        """What lies at a path of the workspace; None if there is nothing."""
        return self._call("GET", f"{self._config.workspace_id}/{path}", action, query=query, asks=False)

    def following(self, link: str, action: str) -> Any:
        """The next page; only of the same place, since the token goes with the call."""
        if not link.startswith(f"{self._config.endpoint}/"):
            raise ClusterDown(f"Azure at {action}: the next page is said to be somewhere else")
        return self._call("GET", link, action, asks=False, whole=True)

    def put(self, path: str, action: str, body: Mapping[str, Any]) -> Any:
        return self._call("PUT", f"{self._config.workspace_id}/{path}", action, body=body, asks=True)

    def post(self, path: str, action: str) -> Any:
        return self._call("POST", f"{self._config.workspace_id}/{path}", action, asks=True)

    def close(self) -> None:
        self._http.close()

    def _call(
        self,
        method: str,
        path: str,
        action: str,
        *,
        asks: bool,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        whole: bool = False,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token()}"}
        url = path if whole else f"{self._config.endpoint}{path}"
        params = None if whole else {"api-version": self._config.api_version, **(query or {})}
        with _reporting(action):
            answer = self._http.request(method, url, params=params, json=body, headers=headers)
        if answer.status_code == 404 and method != "PUT":
            return None
        if not answer.is_success:
            raise translate(answer.status_code, _error(answer), action, asks=asks)
        if not answer.content:
            return {}
        try:
            return answer.json()
        except ValueError:
            raise ClusterDown(f"Azure at {action}: the answer is no JSON") from None

    def _token(self) -> str:
        config = self._config
        if config.token is not None:
            return _secret(config.token)
        try:
            from azure.core.exceptions import AzureError
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise ClusterDown(
                "this cluster has no token, and the package azure-identity is not installed; install it, or set token"
            ) from None
        try:
            with self._lock:
                self._credential = self._credential or DefaultAzureCredential()
            return str(self._credential.get_token(f"{config.endpoint}{_SCOPE}").token)
        except AzureError as exc:
            # Its text lists all that was tried, over many lines.
            raise ClusterDown(f"Azure gives no token ({type(exc).__name__}); log in anew, or set token") from None


class Blobs:
    """Blobs of the container, by path below the cluster's prefix."""

    def __init__(self, config: AzureMlConfig) -> None:
        self._config = config
        self._http = _client(config)

    def address(self, path: str, permissions: str, valid_s: float) -> str:
        """A signed address of one blob, to be given away."""
        return self._signed(f"{self._config.prefix}/{path}", permissions, valid_s)

    def write(self, path: str, content: bytes | IO[bytes], size_bytes: int) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Length": str(size_bytes), "x-ms-version": VERSION}
        action = "putting files into the container"
        with _reporting(action):
            answer = self._http.put(self.address(path, "cw", _OWN_S), content=content, headers=headers)
        self._checked(answer, action, asks=True)

    def read(self, path: str, offset: int, limit: int) -> LogPart | None:
        """A piece of a blob; None if there is none."""
        if limit <= 0:
            return LogPart(b"", offset)
        action = "reading from the container"
        headers = {"x-ms-range": f"bytes={offset}-{offset + limit - 1}", "x-ms-version": VERSION}
        with _reporting(action):
            answer = self._http.get(self.address(path, "r", _OWN_S), headers=headers)
        if answer.status_code == 404:
            return None
        if answer.status_code == 416:
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            return LogPart(b"", offset, int(size) if size.isdigit() else None)
        self._checked(answer, action)
        size = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return LogPart(answer.content, offset, int(size) if size.isdigit() else None)

    @contextmanager
    def open(self, path: str) -> Iterator[Iterator[bytes] | None]:
        """A blob as a stream of parts; None if there is none."""
        action = "reading from the container"
        with (
            _reporting(action),
            self._http.stream("GET", self.address(path, "r", _OWN_S), headers={"x-ms-version": VERSION}) as answer,
        ):
            if answer.status_code == 404:
                yield None
                return
            if answer.is_error:
                answer.read()
            self._checked(answer, action)
            yield answer.iter_bytes(_CHUNK_BYTES)

    def remove(self, folder: str) -> None:
        """Remove all blobs below a folder."""
        for name in self._names(f"{self._config.prefix}/{folder}/"):
            action = "emptying the container"
            with _reporting(action):
                answer = self._http.delete(self._signed(name, "d", _OWN_S), headers={"x-ms-version": VERSION})
            if answer.status_code != 404:
                self._checked(answer, action)

    def check(self) -> None:
        """Ask for the container itself."""
        self._page("", "", limit=1)

    def close(self) -> None:
        self._http.close()

    def _names(self, prefix: str) -> list[str]:
        names: list[str] = []
        marker = ""
        while True:
            page = self._page(prefix, marker)
            names += [str(found.text) for found in page.iterfind("./Blobs/Blob/Name")]
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return names

    def _page(self, prefix: str, marker: str, limit: int = 1000) -> ElementTree.Element:
        action = "listing the container"
        query = {"restype": "container", "comp": "list", "prefix": prefix, "maxresults": str(limit), "marker": marker}
        address = httpx.URL(self._signed(None, "l", _OWN_S)).copy_merge_params(
            {name: value for name, value in query.items() if value}
        )
        with _reporting(action):
            answer = self._http.get(address, headers={"x-ms-version": VERSION})
        self._checked(answer, action)
        try:
            # From the storage account that the configuration names.
            return ElementTree.fromstring(answer.content)  # noqa: S314
        except ElementTree.ParseError:
            raise ClusterDown(f"Azure at {action}: the answer is no list") from None

    def _checked(self, answer: httpx.Response, action: str, *, asks: bool = False) -> None:
        if not answer.is_success:
            # Messages of blobs quote what was signed; the code is enough.
            code = answer.headers.get("x-ms-error-code", "")
            raise translate(answer.status_code, (code, ""), action, asks=asks)

    def _signed(self, blob: str | None, permissions: str, valid_s: float) -> str:
        config = self._config
        try:
            return signed(
                config.blobs_url,
                config.storage_account,
                _secret(config.storage_key),
                config.container,
                blob,
                permissions=permissions,
                until=datetime.now(UTC) + timedelta(seconds=valid_s),
            )
        except BadKey:
            raise ClusterDown("storage_key refers to what is no key of a storage account: it is not base64") from None


def translate(status: int, error: tuple[str, str], action: str, *, asks: bool) -> AtollError:
    """The error for an answer. Pure.

    Parameters
    ----------
    error : the service's code and message.
    asks : whether something was asked for that can be refused; looking at tasks cannot, they wait until it works.
    """
    code, message = error
    said = f"{code or status}: {' '.join(without_signatures(message).split())[:_SHOWN_CHARS]}".rstrip(": ")
    if status == 401 or code in ("ExpiredAuthenticationToken", "InvalidAuthenticationToken", "AuthenticationFailed"):
        return ClusterDown(
            f"Azure does not accept the credentials at {action} ({code or status}); renew them, and what waits goes on"
        )
    if status in (408, 429) or status >= 500:
        return ClusterDown(f"Azure is busy at {action}: {said}")
    return ClusterRefused(f"Azure refuses {action}: {said}") if asks else ClusterDown(f"Azure at {action}: {said}")


@contextmanager
def _reporting(action: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as exc:
        # Not the text: it may hold a signed address.
        raise ClusterDown(f"Azure does not answer at {action}: {type(exc).__name__}") from None


def _client(config: AzureMlConfig) -> httpx.Client:
    timeout = httpx.Timeout(config.timeout_s, connect=min(10.0, config.timeout_s))
    return httpx.Client(timeout=timeout, follow_redirects=False)


def _secret(reference: str) -> str:
    try:
        return read_token(reference)
    except SecretMissing as exc:
        raise ClusterDown(f"a secret of this cluster is missing: {exc}") from None


def _error(answer: httpx.Response) -> tuple[str, str]:
    """Code and message of Azure Resource Manager's errors."""
    try:
        error = answer.json()["error"]
        return str(error.get("code", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
