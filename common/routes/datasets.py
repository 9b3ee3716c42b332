"""`/datasets`: the data sets on this machine and on the share, which models answer from them, and their files."""

import mimetypes
from collections.abc import Iterator
from itertools import chain
from pathlib import Path as FilePath
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from common.errors import BadRequest, NotFound, TooLarge, Unavailable, UnsupportedMediaType
from common.http.conditional import is_unchanged, not_modified
from common.http.openapi import problem_answer
from common.runtime import Runtime
from common.security.audit import audit
from common.security.authenticate import principal_of
from common.storage import FileInfo, FileMissing, Share, open_share
from common.storage.datasets import FOLDER, DatasetFile, describe, folders_on, listed_on
from common.storage.incoming import Incoming, told_sha256

router = APIRouter(tags=["Atoll"])

# A thread each, for as long as the caller takes to send; more of them wait, and those of other routes stay free.
_UPLOADS = CapacityLimiter(8)
# Lifts the framework's own limit, whose answer is no problem+json; ours is a setting.
_ANY_SIZE = 1 << 50
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such file; `detail` names those that there are."),
    422: problem_answer("A name cannot be; `errors` says which."),
}

Name = Annotated[
    str,
    Path(
        # It begins and ends with no dot: `..` is no name, hidden files are not listed, Azure Files drops a last one.
        pattern=r"^[A-Za-z0-9_-]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?$",
        description="Letters, digits, `.`, `_`, `-`; at most 100.",
    ),
]


class DatasetInfo(BaseModel):
    """A data set: a folder of files."""

    name: str
    origin: str = Field(description="Where it comes from: `DATASET_PATH`, the checkout, the share, or generated.")
    files: list[DatasetFile]
    size_bytes: int
    rows: int | None = Field(description="Data rows of its largest CSV file, if its files are on this machine.")
    years: list[int] = Field(description="Years that have a column of their own, in any file.")
    used_by: list[str] = Field(description="Models that answer from it.")


class StoredFile(BaseModel):
    """A file that was written."""

    dataset: str
    file: str
    size_bytes: int
    sha256: str = Field(description="Of its content, in hex.")


@router.get("/datasets", summary="Data sets: files, sizes, rows, years")
async def datasets(request: Request) -> list[DatasetInfo]:
    runtime: Runtime = request.app.state.runtime
    # Reads files that have changed since the last call.
    return await run_in_threadpool(_list, runtime)


@router.put(
    "/datasets/{name}/{file}",
    summary="Write a file of a data set",
    status_code=201,
    max_body_size=_ANY_SIZE,
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
    responses={
        200: {"description": "It was there, and has been replaced.", "model": StoredFile},
        400: problem_answer("The upload was interrupted. Nothing has changed."),
        413: problem_answer("Larger than `MAX_DATASET_BYTES`. Nothing has changed."),
        415: problem_answer("A form or encoded content instead of the file itself."),
        422: problem_answer("A name cannot be used, or the digest is not that of the body. Nothing has changed."),
        503: problem_answer("The share is full. Nothing has changed."),
    },
)
async def put_file(
    request: Request,
    response: Response,
    name: Name,
    file: Name,
    content_digest: Annotated[str | None, Header(description="`sha-256=:<base64>:` (RFC 9530).")] = None,
    x_checksum_sha256: Annotated[str | None, Header(description="The SHA-256 in hex.")] = None,
) -> StoredFile:
    """The body is the file, whatever it is. It is seen when it is complete; until then the old one is."""
    share, path = _share(request), f"{FOLDER}/{name}/{file}"
    runtime: Runtime = request.app.state.runtime
    max_bytes = runtime.settings.storage.max_dataset_bytes
    incoming = Incoming(request.stream(), max_bytes, told_sha256(content_digest, x_checksum_sha256))
    _check_plain(request)
    told_bytes = request.headers.get("content-length", "")
    if told_bytes.isdigit() and int(told_bytes) > max_bytes:
        raise TooLarge(f"the file is larger than {max_bytes} bytes; send less, or raise MAX_DATASET_BYTES")

    def write() -> bool:
        replaces = share.stat(path) is not None
        share.write(path, incoming)
        audit(
            "dataset.written",
            by=principal_of(request),
            target=f"{name}/{file}",
            replaces=replaces,
            size_bytes=incoming.size_bytes,
            sha256=incoming.digest.hexdigest(),
        )
        return replaces

    try:
        if await to_thread.run_sync(write, limiter=_UPLOADS):
            response.status_code = 200
    except ClientDisconnect:
        raise BadRequest("the upload was interrupted; nothing was written, send it again") from None
    return StoredFile(dataset=name, file=file, size_bytes=incoming.size_bytes, sha256=incoming.digest.hexdigest())


@router.get(
    "/datasets/{name}/{file}",
    summary="A file of a data set",
    response_class=StreamingResponse,
    responses={**_MISSING, 200: {"content": _BINARY}, 304: {"description": "It has the ETag that was given."}},
)
async def get_file(
    request: Request,
    name: Name,
    file: Name,
    if_none_match: Annotated[str | None, Header(description="ETags that the caller has.")] = None,
) -> Response:
    share = _share(request)
    info, chunks = await run_in_threadpool(_open, share, name, file)
    etag = f'"{info.etag.strip(chr(34))}"'
    if is_unchanged(if_none_match, etag):
        return not_modified(etag)
    kind, encoding = mimetypes.guess_type(file)
    return StreamingResponse(
        chunks,
        media_type="application/octet-stream" if encoding else kind or "application/octet-stream",
        headers={
            "ETag": etag,
            "Content-Length": str(info.size_bytes),
            # Whatever was uploaded, no browser runs it as a page of ours.
            "Content-Disposition": f'attachment; filename="{file}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.delete("/datasets/{name}/{file}", summary="Delete a file of a data set", status_code=204, responses=_MISSING)
async def delete_file(request: Request, name: Name, file: Name) -> None:
    share = _share(request)

    def delete() -> None:
        if not share.delete(f"{FOLDER}/{name}/{file}"):
            raise _missing(share, name, file)
        audit("dataset.deleted", by=principal_of(request), target=f"{name}/{file}")

    await run_in_threadpool(delete)


def _share(request: Request) -> Share:
    runtime: Runtime = request.app.state.runtime
    return open_share(runtime.settings.storage)


def _check_plain(request: Request) -> None:
    """Bodies that are not the file itself would be stored with what is around it."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaType("the body is a form; send the file itself, as `curl -T file` does")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding[:40]!r}; send the file as it is to be stored, without one"
        )


def _open(share: Share, name: str, file: str) -> tuple[FileInfo, Iterator[bytes]]:
    """A file's size and etag, and its content with the first part read: what is wrong is known before the answer."""
    path = f"{FOLDER}/{name}/{file}"
    for _ in range(3):
        info = share.stat(path)
        if info is None:
            break
        chunks = share.read(path)
        try:
            first = next(chunks, b"")
        except FileMissing:
            break
        # The same before and after it was opened: so it is this one that was.
        if share.stat(path) == info:
            return info, chain([first], chunks)
    else:
        raise Unavailable(f"{name}/{file} is being replaced again and again; ask again")
    raise _missing(share, name, file)


def _missing(share: Share, name: str, file: str) -> NotFound:
    names = [info.path.rpartition("/")[2] for info in share.find(f"{FOLDER}/{name}")]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return NotFound(f"data set {name!r} has no file {file!r}; it has {', '.join(names[:20]) or 'none'}{more}")


def _list(runtime: Runtime) -> list[DatasetInfo]:
    share = open_share(runtime.settings.storage)
    mounted = share.local_path(FOLDER)
    answer = []
    folders: dict[FilePath, tuple[str, str, set[str]]] = {}
    if mounted is not None:
        folders = {folder: (folder.name, "share", set()) for folder in folders_on(mounted.parent)}
    for record in runtime.records:
        for dataset in record.datasets():
            # A model knows better than the share what the folder is called and where it comes from.
            used_by = folders.get(dataset.folder, ("", "", set[str]()))[2] | {record.name}
            folders[dataset.folder] = (dataset.name, dataset.origin, used_by)
    for folder, (name, origin, used_by) in folders.items():
        answer.append(_info(name, origin, describe(folder), used_by))
    if mounted is None:
        # What a model answers from was fetched, and is listed with its rows already.
        fetched = {item.name for item in answer if item.origin == "share"}
        for name, files in listed_on(share).items():
            if name not in fetched:
                answer.append(_info(name, "share", files, set()))
    return sorted(answer, key=lambda item: item.name)


def _info(name: str, origin: str, files: list[DatasetFile], used_by: set[str]) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        origin=origin,
        files=files,
        size_bytes=sum(file.size_bytes for file in files),
        rows=max((file.rows for file in files if file.rows is not None), default=None),
        years=sorted({year for file in files for year in file.years}),
        used_by=sorted(used_by),
    )
