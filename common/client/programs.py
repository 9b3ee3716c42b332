"""What is sent to make a task: the program, its config and its inputs, as one multipart body. Folders are packed."""

import contextlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson

SUFFIXES = (".py", ".sh", ".zip")
# What no cluster needs, and what often is large.
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv"})
# Zip knows no earlier time, and the same folder gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_program(path: Path) -> tuple[str, bytes]:
    """Name and bytes of a program: a `.py`, `.sh` or `.zip`, or a folder, which is packed.

    Raises
    ------
    ValueError
        It is none of these, or holds a link.
    OSError
        It cannot be read.
    """
    if path.is_dir():
        return f"{path.resolve().name or 'program'}.zip", packed(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; give a .py, .sh or .zip file, or a folder")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path.name} ends in none of {', '.join(SUFFIXES)}; a folder with it may be sent as it is")
    return path.name, path.read_bytes()


def read_inputs(paths: Sequence[Path | str]) -> list[tuple[str, bytes]]:
    """Names and bytes of inputs.

    Raises
    ------
    OSError
        One cannot be read.
    """
    return [(Path(path).name, Path(path).read_bytes()) for path in paths]


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file to write to that takes the place of `target` in the end, or goes if something is raised."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def packed(folder: Path) -> bytes:
    """A folder as a zip archive, without hidden files, `__pycache__`, `venv` and `node_modules`.

    Raises
    ------
    ValueError
        There is nothing in it, or a link.
    """
    files = sorted(_files(folder))
    if not files:
        raise ValueError(f"{folder} has no files to send")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return made.getvalue()


def multipart(
    config: Mapping[str, Any], name: str, program: bytes, inputs: Sequence[tuple[str, bytes]] = ()
) -> tuple[bytes, str]:
    """The body of `POST /tasks`, and its content type.

    Parameters
    ----------
    name : of the program's file.
    inputs : names and bytes.
    """
    parts: list[tuple[str, tuple[str, bytes, str]]] = [
        ("files", ("config.json", orjson.dumps(dict(config), option=orjson.OPT_SERIALIZE_NUMPY), "application/json")),
        ("files", (name, program, "application/octet-stream")),
    ]
    parts += [("inputs", (given, content, "application/octet-stream")) for given, content in inputs]
    made = httpx.Request("POST", "http://localhost/", files=parts)
    return made.read(), made.headers["Content-Type"]


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _LEFT_OUT]
        for name in [*names, *folders]:
            path = Path(parent, name)
            if name.startswith("."):
                continue
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise ValueError(f"{path} is a link, which archives of programs may not hold; copy what it leads to")
            if stat.S_ISREG(mode):
                found.append(path)
    return found
