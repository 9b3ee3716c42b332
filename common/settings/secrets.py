"""Which values are secrets, and how one is given by reference instead of by value.

A setting that holds a secret may be given as `NAME`, or as `NAME_FILE`, the path of a file that holds it, as container
platforms mount them. On Azure `NAME` may be a Key Vault reference; the platform puts the secret itself in its place.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|(?:^|_)KEYS?(?:_|$)|CONNECTION|SAS|_URL$|Storage$", re.I
)
# Addresses and paths; a secret may stand within.
_PLACE_NAME = re.compile(r"_URL$|^FILE_SHARE$", re.I)
_KEY_VAULT = re.compile(r"\s*@Microsoft\.KeyVault\((.*)\)\s*", re.I | re.S)
_SECRET_PART = re.compile(r"key|signature|password|pwd|secret|token|^sig$", re.I)
# Shorter values ("true", "1") stand in too many innocent texts.
_SECRET_CHARS = 8
_PART_CHARS = 6
# More than any secret; a path that leads to something else is not read into memory.
_FILE_BYTES = 65_536

FILE_SUFFIX = "_FILE"

# What was read from files by this process.
_read: set[str] = set()
_listeners: list[Callable[[], None]] = []


class Unreadable(ValueError):
    """A reference to a secret leads nowhere; the text says which and what to do, and holds no secret."""


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def is_key_vault_reference(value: str) -> bool:
    return _KEY_VAULT.fullmatch(value) is not None


def check_resolved(name: str, value: str) -> None:
    """Raises `Unreadable` where a value is a Key Vault reference that the platform did not resolve."""
    if is_key_vault_reference(value):
        raise Unreadable(
            f"{name} is a Key Vault reference that was not resolved: on Azure Functions the app's identity needs the "
            f"role Key Vault Secrets User and the reference an existing secret (see the application setting's status "
            f"in the portal); elsewhere give the value itself, or its file as {name}{FILE_SUFFIX}"
        )


def read_secret_file(name: str, path: str) -> str:
    """The secret in a file, without the newline at its end, and known as one from now on.

    Raises
    ------
    Unreadable
        There is no such file, it cannot be read, is empty, too large or no text.
    """
    variable = f"{name}{FILE_SUFFIX}"
    try:
        with Path(path).open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
        text = content.decode("utf-8").rstrip("\r\n")
    except OSError as exc:
        raise Unreadable(f"{variable}={path[:200]!r} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise Unreadable(f"{variable}={path[:200]!r} holds no text in UTF-8") from None
    if len(content) > _FILE_BYTES:
        raise Unreadable(f"{variable}={path[:200]!r} is larger than {_FILE_BYTES} bytes; that is no secret")
    if not text:
        raise Unreadable(f"{variable}={path[:200]!r} is empty")
    remember(text)
    return text


def remember(*secrets: str) -> None:
    """Count these among the values that must not appear anywhere."""
    new = set(secrets) - _read
    if new:
        _read.update(new)
        for listener in _listeners:
            listener()


def add_listener(listener: Callable[[], None]) -> None:
    """Call `listener` when more secrets are known."""
    _listeners.append(listener)


def secret_values() -> tuple[str, ...]:
    """Values of this process that must not appear in a log, an error or a job's record; longest first.

    Those of its environment, by the names that such variables usually have, since plugins have secrets of their own;
    those in files that it names; and of connection strings and URLs the secret parts, which errors quote alone.
    """
    found = {part for value in _read for part in _parts(value)} | secrets_of(os.environ)
    return tuple(sorted(found, key=len, reverse=True))


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The secrets among variables, and in the files that they name."""
    found = set[str]()
    for name, value in environment.items():
        if name.upper().endswith(FILE_SUFFIX):
            if is_secret(name[: -len(FILE_SUFFIX)]):
                found.update(_in_file(value))
        elif is_secret(name) or _PLACE_NAME.search(name):
            found.update(_parts(value, is_place=_PLACE_NAME.search(name) is not None))
    return found


def _in_file(path: str) -> Iterator[str]:
    """What a plugin's own secret file holds; nothing where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            yield from _parts(file.read(_FILE_BYTES).decode("utf-8").rstrip("\r\n"))
    except (OSError, ValueError):
        return


def _parts(value: str, *, is_place: bool = False) -> Iterator[str]:
    """The secret itself, and its parts that are secret by themselves."""
    if value.casefold() in ("usedevelopmentstorage=true", "") or is_key_vault_reference(value):
        return
    if "://" in value:
        is_place = True
        yield from _url_parts(value)
    if not is_place and len(value) >= _SECRET_CHARS:
        yield value
    for piece in re.split(r"[;\s,]+", value):
        name, _, secret = piece.partition("=")
        # Those at the end are base64's.
        is_pair = "=" in piece.rstrip("=")
        if is_pair and _SECRET_PART.search(name) and len(secret) >= _PART_CHARS:
            yield secret
        elif not is_pair and not is_place and len(piece) >= 3 * _SECRET_CHARS:
            yield piece


def _url_parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        user, password = parts.username, parts.password
        query = parse_qsl(parts.query)
    except ValueError:
        # Whatever it is, nobody needs to see it.
        if len(url) >= _SECRET_CHARS:
            yield url
        return
    # What everybody guesses hides nothing, and stands in innocent texts.
    if password and len(password) >= _PART_CHARS and password != user:
        yield password
        yield unquote(password)
    for name, secret in query:
        if _SECRET_PART.search(name) and len(secret) >= _PART_CHARS:
            yield secret
    for piece in parts.query.split("&"):
        name, _, raw = piece.partition("=")
        if _SECRET_PART.search(name) and len(raw) >= _PART_CHARS:
            yield raw
