"""A task's form on its way in: config, program and inputs, taken piece by piece and refused at the first that is wrong.

Small programs stay in memory; larger ones, and inputs, become files of this machine until they are on the share.
"""

import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from common.errors import BadRequest, Invalid, TooLarge, UnsupportedMediaType
from common.http.forms import Part, Taker, is_form, read_form
from common.settings import SubmissionSettings
from common.storage.archives import ARCHIVES, is_archive, names_in
from common.storage.incoming import told_sha256
from common.storage.landing import Landing, sweep, too_large
from common.submission.content import Content
from common.submission.entry_points import PROGRAMS, Program
from common.submission.task_config import read_json

CONFIG = "config"
INPUTS = frozenset({"input", "inputs"})
EXAMPLE = "curl -F config=@config.json -F program=@train.py"
_MAY_BE_CONFIG = ("files", "file", "json", "body")
_MAX_PARTS = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Browsers write control characters and quotes so.
_ENCODED = re.compile(r"%0[ad]|%22", re.IGNORECASE)
_SHA_FIELD = "sha256."
_SHA_FIELD_BYTES = 200
_SEND = f"send one JSON config and one program, {', '.join((*PROGRAMS, *ARCHIVES))}: {EXAMPLE}"
# As `package` tells them apart; a script may well begin with the letters PK.
_ZIP, _GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"


@dataclass
class Form:
    """What came.

    Parameters
    ----------
    files : the inputs by name.
    by_field : the name of the last input that came in a field.
    """

    config: dict[str, Any] = field(default_factory=dict)
    program: Program = field(default_factory=lambda: Program(""))
    content: Content | None = None
    files: dict[str, Content] = field(default_factory=dict)
    by_field: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def received(
    request: Request,
    folder: Path,
    settings: SubmissionSettings,
    *,
    config: dict[str, Any] | None = None,
    inputs: Collection[str] = INPUTS,
) -> AsyncIterator[Form]:
    """The task that a request carries; its files go at the end.

    Parameters
    ----------
    folder : of a local disk.
    config : what holds where the form says nothing else, and need not bring a config.
    inputs : names of fields whose files are inputs, whatever they are called.

    Raises
    ------
    BadRequest, TooLarge, UnsupportedMediaType, Invalid, Unavailable
        Nothing is left of it.
    """
    if not is_form(request):
        given = request.headers.get("content-type", "").partition(";")[0][:80]
        raise UnsupportedMediaType(f"the body is {given or 'of no type'!r}, not multipart/form-data; {_SEND}")
    told = request.headers.get("content-length", "")
    most = settings.max_config_bytes + settings.max_program_bytes + settings.max_input_bytes + (1 << 20)
    if told.isdigit() and int(told[:30]) > most:
        raise TooLarge(
            f"the form is larger than {most} bytes, which is what config, program and inputs may be together"
        )
    await to_thread.run_sync(sweep, folder)
    reader = _Reader(folder, settings, inputs, needs_config=config is None)
    try:
        try:
            await read_form(request, reader.begin, max_parts=_MAX_PARTS, example=EXAMPLE)
        except ClientDisconnect:
            raise BadRequest("the form was interrupted; nothing was kept, send it again") from None
        form = reader.form()
        form.config = {**(config or {}), **form.config}
        if form.content is not None and is_archive(form.program.filename):
            form.program = await to_thread.run_sync(_with_members, form, folder, settings)
        yield form
    finally:
        for content in reader.contents:
            content.close()


def plain_filename(given: str | None, where: str) -> str:
    """A file's name as it may be used.

    Raises
    ------
    Invalid
        It has separators, control characters, or begins with a dot or a hyphen.
    """
    name = given or ""
    shown = _CONTROL.sub("?", name)[:80]
    wrong = None
    if not name.strip():
        wrong = "has no file name"
    elif _CONTROL.search(name) or _ENCODED.search(name):
        wrong = "has a line break, a quote or another control character in its file name"
    elif "/" in name or "\\" in name:
        wrong = "has a separator in its file name; send the name alone"
    elif name.startswith((".", "-")) or name != name.strip():
        wrong = "has a file name that begins with a dot, a hyphen or a space"
    elif len(name.encode()) > 200:
        wrong = "has a file name of more than 200 bytes"
    if wrong:
        raise Invalid.field(where[:80] or "form", f"{wrong}; rename it, e.g. train.py", shown, where="form")
    return name


class _Reader:
    """Decides what each part of a form is, by its field's and its file's name."""

    def __init__(
        self, folder: Path, settings: SubmissionSettings, inputs: Collection[str], *, needs_config: bool
    ) -> None:
        self.contents: list[Content] = []
        self._folder = folder
        self._settings = settings
        self._inputs = inputs
        self._needs_config = needs_config
        self._config: Content | None = None
        self._program: tuple[str, Content] | None = None
        self._files: dict[str, Content] = {}
        self._by_field: dict[str, str] = {}
        # What digest is promised, by the name of the file, and by the content.
        self._promised: dict[str, Content] = {}
        self._expected: list[tuple[str, Content, str]] = []

    async def begin(self, part: Part) -> Taker:
        name = part.name.strip().lower()
        if name.startswith(_SHA_FIELD) and not part.filename:
            content = self._promised[part.name.strip()[len(_SHA_FIELD) :]] = Content(
                self._folder, _SHA_FIELD_BYTES, lambda: TooLarge(f"{part.name[:80]} is longer than a SHA-256 in hex")
            )
            return content
        if name in self._inputs and part.filename is not None:
            return self._begin_input(part)
        is_json = (part.filename or "").lower().endswith(".json") or part.media_type == "application/json"
        if is_json or name == CONFIG or not part.filename:
            return self._begin_config(part, is_json=is_json or name == CONFIG)
        filename = plain_filename(part.filename, part.name)
        if filename.lower().endswith((*PROGRAMS, *ARCHIVES)):
            return self._begin_program(filename, part)
        raise Invalid.field(
            part.name[:80] or "form",
            f"is neither a config nor a program; {_SEND}; further files are sent as -F inputs=@{filename[:40]}",
            filename,
            where="form",
        )

    def form(self) -> Form:
        if self._needs_config and self._config is None:
            raise Invalid.field(CONFIG, f"the form has no config; {_SEND}", where="form")
        if self._program is None:
            raise Invalid.field("program", f"the form has no program; {_SEND}", where="form")
        filename, content = self._program
        if content.size_bytes == 0:
            raise Invalid.field("program", "the file is empty", filename, where="form")
        self._check_digests()
        self._check_kind(filename, content)
        config = {} if self._config is None else read_json(_in_memory(self._config))
        return Form(config, Program(filename), content, self._files, self._by_field)

    def _begin_config(self, part: Part, *, is_json: bool) -> Taker:
        if not is_json and part.name.strip().lower() not in _MAY_BE_CONFIG:
            raise Invalid.field(part.name[:80] or "form", f"is no field of this form; {_SEND}", where="form")
        if part.filename is not None:
            plain_filename(part.filename, part.name)
        if self._config is not None:
            raise Invalid.field(CONFIG, "the form has two configs; send one JSON file", where="form")
        most = self._settings.max_config_bytes
        self._config = self._content(
            most, lambda: TooLarge(f"the config is larger than {most} bytes; send less, or raise MAX_TASK_CONFIG_BYTES")
        )
        return self._config

    def _begin_program(self, filename: str, part: Part) -> Taker:
        if self._program is not None:
            told = f"the form has two programs, {self._program[0]} and {filename}; send one, or both in a .zip"
            raise Invalid.field("program", f"{told}; further files are sent as -F inputs=@…", where="form")
        most = self._settings.max_program_bytes
        content = self._content(
            most,
            lambda: TooLarge(
                f"the program {filename} is larger than {most} bytes; send data as inputs, or raise MAX_PROGRAM_BYTES"
            ),
        )
        self._program = (filename, content)
        self._expect(filename, content, part)
        return content

    def _begin_input(self, part: Part) -> Taker:
        filename = plain_filename(part.filename, part.name)
        if filename in self._files:
            raise Invalid.field("inputs", "two inputs have the same name; rename one", filename, where="form")
        most = self._settings.max_input_bytes
        taken = sum(content.size_bytes for content in self._files.values())
        content = self._content(most - taken, lambda: too_large(most, "MAX_TASK_INPUT_BYTES"))
        self._files[filename] = content
        self._by_field[part.name.strip().lower()] = filename
        self._expect(filename, content, part)
        return content

    def _content(self, left: int, error: Callable[[], TooLarge]) -> Content:
        content = Content(self._folder, left, error)
        self.contents.append(content)
        return content

    def _expect(self, filename: str, content: Content, part: Part) -> None:
        told = told_sha256(part.headers.get("content-digest"), part.headers.get("x-checksum-sha256"))
        if told is not None:
            self._expected.append((filename, content, told))

    def _check_digests(self) -> None:
        by_name = dict(self._files)
        if self._program is not None:
            by_name[self._program[0]] = self._program[1]
        for name, promised in self._promised.items():
            digest = _in_memory(promised).decode("ascii", "replace").strip().lower()
            if name not in by_name:
                raise Invalid.field(f"{_SHA_FIELD}{name[:80]}", "no file of this name was sent", where="form")
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise Invalid.field(f"{_SHA_FIELD}{name[:80]}", "is 64 hex digits", digest, where="form")
            self._expected.append((name, by_name[name], digest))
        for name, content, digest in self._expected:
            if content.sha256 != digest:
                raise Invalid(
                    f"the SHA-256 of {name} is {content.sha256}, not {digest} as told; nothing was kept, send it again"
                )

    @staticmethod
    def _check_kind(filename: str, content: Content) -> None:
        """What the name says it is; what lies on the share is told by its content."""
        lower = filename.lower()
        is_zip, is_gzip = any(map(content.begins_with, _ZIP)), content.begins_with(_GZIP)
        wrong = not is_zip if lower.endswith(".zip") else not is_gzip if is_archive(lower) else is_zip or is_gzip
        if wrong:
            raise Invalid.field("program", "the file is not of the kind that its name says", filename, where="form")


def _in_memory(content: Content) -> bytes:
    value = content.value
    return value if isinstance(value, bytes) else value.read_bytes()


def _with_members(form: Form, folder: Path, settings: SubmissionSettings) -> Program:
    """Look into an archive, which has to be a file for that."""
    content = form.content
    assert content is not None  # noqa: S101 - looked at before
    limits: dict[str, Any] = {"max_bytes": settings.max_unpacked_bytes, "max_files": settings.max_unpacked_files}
    filename = form.program.filename
    if isinstance(content.value, Path):
        return Program(filename, names_in(content.value, filename=filename, **limits))
    landing = Landing(folder, 1 << 62, "")
    try:
        landing.write(content.value)
        return Program(filename, names_in(landing.path, filename=filename, **limits))
    finally:
        landing.close()
