"""Inputs of tasks that are uploaded in parts before the task that uses them. All functions block."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from common.errors import Conflict, NotFound
from common.security import ownership
from common.security.principal import Principal
from common.storage.blobs import BlobRef, Blobs
from common.storage.landing import Landing
from common.storage.parts import Begun, PartStore

if TYPE_CHECKING:
    from common.storage.share import Share

FOLDER = "task-uploads"


class NewInput(BaseModel):
    """An input that will come in parts."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=200, examples=["data.csv"])
    size_bytes: int = Field(ge=1, strict=True, description="Of the whole file.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the whole file, in lower-case hex.")


class InputUpload(BaseModel):
    """An input that comes in parts, and how far it is."""

    id: str = Field(description='Name it in a task\'s config: `"inputs": [{"path": "data.csv", "upload": "<id>"}]`.')
    filename: str
    size_bytes: int
    sha256: str
    part_bytes: int = Field(description="Size of each part; the last one has what is left.")
    parts: int = Field(description="How many there are; the first is number 1.")
    received: list[int] = Field(description="Numbers of the parts that are here.")
    complete: bool = Field(description="Whether all of it is here, and was checked.")


def store_on(share: "Share") -> PartStore:
    return PartStore(share, FOLDER, "POST /tasks/uploads", "MAX_TASK_INPUT_BYTES")


def told(store: PartStore, begun: Begun) -> InputUpload:
    """How far it is."""
    is_complete = store.result_of(begun) is not None
    return InputUpload(
        id=begun.id,
        filename=begun.filename,
        size_bytes=begun.size_bytes,
        sha256=begun.sha256,
        part_bytes=begun.part_bytes,
        parts=begun.parts,
        received=list(range(1, begun.parts + 1)) if is_complete else sorted(store.received(begun)),
        complete=is_complete,
    )


def find(store: PartStore, upload_id: str, principal: Principal) -> Begun:
    """An upload of the caller's.

    Raises
    ------
    NotFound
    """
    begun = store.find(upload_id)
    if not ownership.sees(principal, begun.owner):
        raise NotFound(f"there is no upload {upload_id[:40]!r}; begin one with {store.begin_with}")
    return begun


def complete(store: PartStore, begun: Begun, blobs: Blobs) -> BlobRef:
    """Put the parts together and check the whole; again gives the same.

    Raises
    ------
    Conflict
        Parts are missing.
    Invalid
        The whole is not what was announced.
    """
    ref = BlobRef(begun.sha256, begun.size_bytes)
    if store.result_of(begun) is not None and blobs.exists(ref):
        return ref
    landing = Landing(blobs.cache_dir / "uploads", begun.size_bytes, store.setting)
    try:
        store.assemble(begun, landing)
        ref = blobs.put(landing.path)
    finally:
        landing.close()
    store.finish(begun, {"sha256": ref.sha256})
    return ref


def assembled(blobs: Blobs, upload_id: str, principal: Principal) -> BlobRef:
    """The content of an upload that a task refers to.

    Raises
    ------
    NotFound
    Conflict
        Parts are missing, or it was not used for so long that its content is gone.
    """
    store = store_on(blobs.share)
    begun = find(store, upload_id, principal)
    ref = BlobRef(begun.sha256, begun.size_bytes)
    if store.result_of(begun) is None:
        return complete(store, begun, blobs)
    if not blobs.exists(ref):
        raise Conflict(f"upload {begun.id} is kept no longer; send the file again")
    return ref
