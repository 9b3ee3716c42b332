"""The public hub, by plain https: a revision is resolved to a commit, its files are listed, fetched and checked.

No library of the hub is needed. What is fetched is kept by commit, and checked each time, so that the same pull again
asks for the list alone.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import orjson

from common.clock import new_id
from common.errors import DependencyFailed, Invalid, NotFound
from common.http.addresses import Allowance, Refused
from common.http.outbound import Limits, Outbound
from models.sentiment.pull.hashes import git_blob, sha256

ADDRESS = "https://huggingface.co"
# What a classifier is made of; all else of a repository (other formats, notebooks) stays there.
WANTED = ("config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json")
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION = re.compile(r"[\w.-]+(/[\w.-]+){0,3}")
_LIMITS = Limits(connect_s=10.0, read_s=60.0, total_s=3600.0)
_HOPS = 5
_LIST_BYTES = 8 << 20
_MOST_BYTES = 2 << 30
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Listed:
    """A file of the hub. `sha256` of large ones, `git` (see `hashes.git_blob`) of the others."""

    name: str
    size_bytes: int
    sha256: str | None
    git: str | None

    def fits(self, file: Path) -> bool:
        """Whether a file is this one."""
        if not file.is_file() or file.stat().st_size != self.size_bytes:
            return False
        if self.sha256 is not None:
            return sha256(file) == self.sha256
        return git_blob(file.read_bytes()) == self.git


@dataclass(frozen=True)
class Fetched:
    """A model of the hub on this machine."""

    folder: Path
    commit: str
    files: tuple[str, ...]


def is_hub_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and ".." not in text


class Hub:
    """Asks the hub.

    Parameters
    ----------
    address : of the hub or of a mirror with the same paths.
    cache : folder to keep files in.
    """

    def __init__(
        self, cache: Path, address: str | None = None, report: Callable[[str, int, int], object] = lambda *_: None
    ) -> None:
        self._address = (address or ADDRESS).rstrip("/")
        self._cache = cache
        self._report = report
        # The address is the operator's choice, made on this machine: it may be a mirror in the own network.
        host = urlsplit(self._address).hostname if address else None
        allow = Allowance(hosts=frozenset({host})) if host else Allowance()
        self._outbound = Outbound(allow, _LIMITS)

    def fetch(self, model: str, revision: str | None = None) -> Fetched:
        """The files of a model at a revision, checked.

        Raises
        ------
        NotFound
            The hub has no such model, revision or file.
        DependencyFailed
            It cannot be reached, or gave other bytes than it lists.
        """
        if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise Invalid(f"{revision[:80]!r} is no revision; give a commit, a branch or a tag")
        api = f"{self._address}/api/models/{quote(model)}"
        told = self._json(f"{api}/revision/{quote(revision or 'main', safe='')}", model, revision)
        commit = told.get("sha") if isinstance(told, dict) else None
        if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{40}", commit):
            raise self._odd(f"the revision of {model}")
        listed = self._listed(self._json(f"{api}/tree/{commit}", model, revision), model)
        folder = self._cache / "hub" / model.replace("/", "--") / commit
        folder.mkdir(parents=True, exist_ok=True)
        total = sum(one.size_bytes for one in listed)
        done = 0
        for one in listed:
            if not one.fits(folder / one.name):
                self._download(f"{self._address}/{quote(model)}/resolve/{commit}/{one.name}", one, folder, done, total)
            done += one.size_bytes
            self._report(one.name, done >> 20, max(1, total >> 20))
        return Fetched(folder, commit, tuple(one.name for one in listed))

    def close(self) -> None:
        self._outbound.close()

    def _listed(self, told: Any, model: str) -> list[Listed]:
        if not isinstance(told, list):
            raise self._odd(f"the files of {model}")
        found = []
        names = {entry.get("path") for entry in told if isinstance(entry, dict)}
        if "model.safetensors" not in names:
            pickled = " It has pytorch_model.bin, which can run code and is not read." * ("pytorch_model.bin" in names)
            raise NotFound(
                f"model.safetensors: {model} has none at this revision.{pickled} Often the hub's converted one is at "
                "--revision refs/pr/1; else load the model with transformers on a machine that you trust, "
                "`save_pretrained` it, and give the folder"
            )
        for entry in told:
            if not isinstance(entry, dict) or entry.get("path") not in WANTED:
                continue
            large, size = entry.get("lfs"), entry.get("size")
            if not isinstance(size, int) or not 0 <= size <= _MOST_BYTES:
                raise self._odd(f"the size of {entry['path']}")
            digest = large.get("oid") if isinstance(large, dict) else None
            found.append(Listed(entry["path"], size, digest, None if digest else entry.get("oid")))
        return found

    def _download(self, url: str, listed: Listed, folder: Path, done: int, total: int) -> None:
        scratch = folder / f".{new_id()}"
        digest, size = hashlib.sha256(), 0
        try:
            with self._stream(url) as answer, scratch.open("wb") as file:
                self._expect(answer, listed.name)
                for chunk in answer.iter_bytes(_CHUNK_BYTES):
                    size += len(chunk)
                    if size > listed.size_bytes:
                        break
                    digest.update(chunk)
                    file.write(chunk)
                    self._report(listed.name, done + size >> 20, max(1, total >> 20))
            if not listed.fits(scratch):
                raise DependencyFailed(
                    f"{listed.name}: {self._host} sent other bytes ({size} of {listed.size_bytes}) than it lists; "
                    "the same command tries again"
                )
            scratch.replace(folder / listed.name)
        finally:
            scratch.unlink(missing_ok=True)

    def _json(self, url: str, model: str, revision: str | None) -> Any:
        with self._stream(url) as answer:
            if answer.status_code in {401, 403, 404}:
                at = f" at revision {revision}" if revision else ""
                raise NotFound(
                    f"{self._host} has no public model {model}{at} ({answer.status_code}); look for its id there, or "
                    "give a folder"
                )
            self._expect(answer, url)
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _LIST_BYTES:
                    raise self._odd("a list")
        try:
            return orjson.loads(bytes(body))
        except ValueError:
            raise self._odd("a list") from None

    @contextmanager
    def _stream(self, url: str) -> Iterator[httpx.Response]:
        """An answer, after the hub's redirects to where it stores files. Each address is checked anew."""
        client = self._outbound.client()
        try:
            for _ in range(_HOPS):
                self._outbound.allow.check_url(url)
                with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    yield answer
                    return
            raise DependencyFailed(f"{self._host} leads from one address to the next without end")
        except Refused as exc:
            raise DependencyFailed(f"{self._host}: {exc}") from None
        except httpx.HTTPError as exc:
            said = str(exc).partition("\n")[0][:150] or type(exc).__name__
            raise DependencyFailed(
                f"no answer from {self._host}: {said}. This machine may have no way to the hub: copy the model's "
                "folder here and give it with --from, or give a mirror with --base-url"
            ) from None
        finally:
            client.close()

    def _expect(self, answer: httpx.Response, what: str) -> None:
        if answer.status_code != 200:
            raise DependencyFailed(f"{self._host} answered {answer.status_code} for {what}; try again later")

    def _odd(self, what: str) -> DependencyFailed:
        return DependencyFailed(f"{self._host} does not tell {what} as the hub does; is it a mirror of it?")

    @property
    def _host(self) -> str:
        return urlsplit(self._address).hostname or self._address
