"""A stand-in for Azure Files: the part of its REST API that the real SDK calls for `AzureFilesShare`, in memory.

It is no emulator: written after the service's documentation, it shows that our calls are well-formed and in an order
that the service takes (folders before files, lengths before ranges, at most 4 MiB a range), not that Azure agrees.
"""

import re
import sys
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

ACCOUNT = "standin"
KEY = "c3RhbmQtaW4gZm9yIEF6dXJlIEZpbGVz"  # base64 of no secret
SHARE = "atoll"
_MAX_RANGE_BYTES = 4 << 20
_PAGE = 3
_ETAGS = count(1)


@dataclass
class StoredFile:
    content: bytearray
    modified_s: float = field(default_factory=time.time)
    etag: str = ""

    def touch(self) -> None:
        self.etag = f'"0x{next(_ETAGS):X}"'
        self.modified_s = time.time()


class Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # Clients that hang up are no news; anything else shows in the test by the answer that is missing.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class AzureFilesStandIn:
    """One share on a port of the loopback; a context manager.

    Attributes
    ----------
    calls : method and operation of each request, e.g. `PUT range`.
    refuse : operation -> (status, error code) to answer instead.
    full_after_bytes : how much the share may hold; None for no limit.
    """

    def __init__(self) -> None:
        self.files: dict[str, StoredFile] = {}
        self.folders: set[str] = {""}
        self.calls: list[str] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.full_after_bytes: int | None = None
        self.lock = threading.RLock()
        stand_in = self

        class Handler(_Handler):
            state = stand_in

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def account_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{ACCOUNT}"

    @property
    def url(self) -> str:
        return f"{self.account_url}/{SHARE}"

    @property
    def connection_string(self) -> str:
        return f"AccountName={ACCOUNT};AccountKey={KEY};FileEndpoint={self.account_url};"

    def __enter__(self) -> "AzureFilesStandIn":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: AzureFilesStandIn

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.state.lock:
                operation = self._operation(query)
                self.state.calls.append(f"{self.command} {operation}")
                self._authorise(query)
                if operation in self.state.refuse:
                    raise Refused(*self.state.refuse[operation])
                getattr(self, "_" + operation)(self._path_of(parts.path), query, body)
        except Refused as exc:
            xml = f"<?xml version='1.0'?><Error><Code>{exc.code}</Code><Message>{exc.code}</Message></Error>"
            self._answer(exc.status, xml.encode(), {"x-ms-error-code": exc.code, "Content-Type": "application/xml"})

    do_GET = do_PUT = do_HEAD = do_DELETE = _handle  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        pass

    def _operation(self, query: dict[str, str]) -> str:
        comp = query.get("comp")
        if query.get("restype") == "directory":
            return {"PUT": "create_folder", "GET": "list_folder"}[self.command]
        if self.command == "PUT":
            return {"range": "put_range", "properties": "resize", "rename": "rename", None: "create_file"}[comp]
        return {"GET": "download", "HEAD": "properties", "DELETE": "delete"}[self.command]

    def _authorise(self, query: dict[str, str]) -> None:
        if not self.headers.get("Authorization", "").startswith(f"SharedKey {ACCOUNT}:") and "sig" not in query:
            raise Refused(403, "AuthenticationFailed")

    @staticmethod
    def _path_of(path: str) -> str:
        account, _, rest = path.lstrip("/").partition("/")
        share, _, inner = rest.partition("/")
        if (account, share) != (ACCOUNT, SHARE):
            raise Refused(404, "ShareNotFound")
        return unquote(inner).strip("/")

    def _file(self, path: str) -> StoredFile:
        self._need_parent(path)
        if path in self.state.folders:
            raise Refused(409, "ResourceTypeMismatch")
        if path not in self.state.files:
            raise Refused(404, "ResourceNotFound")
        return self.state.files[path]

    def _need_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent in self.state.files:
            raise Refused(409, "ResourceTypeMismatch")
        if parent not in self.state.folders:
            raise Refused(404, "ParentNotFound")

    def _create_folder(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        self._need_parent(path)
        if path in self.state.files or path in self.state.folders:
            raise Refused(409, "ResourceAlreadyExists" if path in self.state.folders else "ResourceTypeMismatch")
        self.state.folders.add(path)
        self._answer(201)

    def _create_file(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        self._need_parent(path)
        if path in self.state.folders:
            raise Refused(409, "ResourceTypeMismatch")
        file = StoredFile(bytearray(int(self.headers["x-ms-content-length"])))
        file.touch()
        self.state.files[path] = file
        self._answer(201, headers=self._told(file))

    def _put_range(self, path: str, _query: dict[str, str], body: bytes) -> None:
        file = self._file(path)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-ms-range") or self.headers["Range"])
        assert found
        start, end = int(found[1]), int(found[2])
        if end - start + 1 != len(body) or len(body) > _MAX_RANGE_BYTES:
            raise Refused(413, "RequestBodyTooLarge")
        if end >= len(file.content):
            raise Refused(416, "InvalidRange")
        file.content[start : end + 1] = body
        file.touch()
        self._answer(201, headers=self._told(file))

    def _resize(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        file, size = self._file(path), int(self.headers["x-ms-content-length"])
        held = sum(len(other.content) for other in self.state.files.values() if other is not file)
        if self.state.full_after_bytes is not None and held + size > self.state.full_after_bytes:
            raise Refused(409, "ShareSizeLimitReached")
        file.content = bytearray(file.content[:size]).ljust(size, b"\0")
        file.touch()
        self._answer(200, headers=self._told(file))

    def _rename(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        source = self._path_of(urlsplit(self.headers["x-ms-file-rename-source"]).path)
        file = self._file(source)
        self._need_parent(path)
        if path in self.state.folders:
            raise Refused(409, "ResourceTypeMismatch")
        if path in self.state.files and self.headers.get("x-ms-file-rename-replace-if-exists") != "true":
            raise Refused(409, "ResourceAlreadyExists")
        self.state.files[path] = self.state.files.pop(source)
        self._answer(200, headers=self._told(file))

    def _properties(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        file = self._file(path)
        told = self._told(file) | {"Content-Length": str(len(file.content)), "x-ms-type": "File"}
        self._answer(200, headers=told)

    def _download(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        file = self._file(path)
        content, told = bytes(file.content), self._told(file) | {"Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        if not asked:
            self._answer(200, content, told)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if start >= len(content):
            raise Refused(416, "InvalidRange")
        told["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self._answer(206, content[start : end + 1], told)

    def _delete(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        self._file(path)
        del self.state.files[path]
        self._answer(202)

    def _list_folder(self, path: str, query: dict[str, str], _body: bytes) -> None:
        if path not in self.state.folders:
            self._need_parent(path)
            raise Refused(404, "ResourceNotFound")

        def inside(full: str) -> bool:
            return full != "" and full.rpartition("/")[0] == path

        names = sorted(full for full in [*self.state.folders, *self.state.files] if inside(full))
        # Few at a time, so that the SDK has to ask for the next page.
        start = int(query.get("marker") or 0)
        page, more = names[start : start + _PAGE], start + _PAGE < len(names)
        entries = "".join(self._entry(full) for full in page)
        xml = (
            '<?xml version="1.0" encoding="utf-8"?>'
            f"<EnumerationResults ServiceEndpoint={quoteattr(self.state.account_url)}"
            f' ShareName="{SHARE}" DirectoryPath={quoteattr(path)}><Prefix /><Entries>{entries}</Entries>'
            f"<NextMarker>{start + _PAGE if more else ''}</NextMarker></EnumerationResults>"
        )
        self._answer(200, xml.encode(), {"Content-Type": "application/xml"})

    def _entry(self, full: str) -> str:
        name = escape(full.rpartition("/")[2])
        if full in self.state.folders:
            return f"<Directory><Name>{name}</Name><Properties /></Directory>"
        file = self.state.files[full]
        return (
            f"<File><Name>{name}</Name><Properties><Content-Length>{len(file.content)}</Content-Length>"
            f"<Last-Modified>{formatdate(file.modified_s, usegmt=True)}</Last-Modified>"
            f"<Etag>{escape(file.etag)}</Etag></Properties></File>"
        )

    @staticmethod
    def _told(file: StoredFile) -> dict[str, str]:
        return {"ETag": file.etag, "Last-Modified": formatdate(file.modified_s, usegmt=True)}

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(body)), "x-ms-version": "2026-10-06", "x-ms-request-id": "1"} | (
            headers or {}
        )
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
