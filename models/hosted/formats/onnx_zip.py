"""An archive of one ONNX file and the files that it keeps tensors in."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from common.errors import Invalid
from common.storage.archives import unpack
from models.hosted.formats import Found, Runner, onnx_file
from models.hosted.formats.card import Card

ARCHIVE = "upload.zip"


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    files = unpack(path, folder, max_bytes=request["unpacked_bytes"], max_files=request["files"])
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise Invalid(f"the archive holds {len(models)} .onnx files ({', '.join(models)[:200]}); give one a model")
    content = onnx_file.mapped(files[models[0]])
    found = onnx_file.described(
        files[models[0]], content, request, beside(models[0], onnx_file.external(content), files)
    )
    card = replace(found.card, original=ARCHIVE)
    return Found(card, {**found.artefacts, ARCHIVE: path})


def beside(model: str, wanted: list[str], files: Mapping[str, Path]) -> dict[str, Path]:
    """The files that a model in an archive keeps tensors in, by the names it gives them.

    Raises
    ------
    Invalid
        One lies outside of the archive, or is missing.
    """
    home = PurePosixPath(model).parent
    found = {}
    for name in wanted:
        given = PurePosixPath(name)
        if not name or given.is_absolute() or ".." in given.parts or "\\" in name or ":" in name:
            raise Invalid(
                f"the model keeps tensors in {name[:120]!r}, outside of the archive; save it with its data "
                "files beside it"
            )
        path = files.get(str(home / given))
        if path is None:
            raise Invalid(f"the model keeps tensors in {name[:120]!r}, which the archive has not; pack it too")
        found[name] = path
    return found


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> Runner:  # noqa: A001 - what a format does
    return onnx_file.open(card, files, threads, cache)
