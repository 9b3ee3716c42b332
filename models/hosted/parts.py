"""Models that are uploaded in parts; what is never completed goes after `JOB_RESULT_DAYS`. All functions block."""

from common.storage.parts import Begun, PartStore
from common.storage.share import Share
from models.hosted.definitions import NewUpload, Upload

FOLDER = "hosted/uploads"


def store_on(share: Share) -> PartStore:
    return PartStore(share, FOLDER, "POST /hosted/uploads", "MAX_MODEL_BYTES")


def begin(store: PartStore, asked: NewUpload, *, part_bytes: int, max_bytes: int) -> Begun:
    """
    Raises
    ------
    TooLarge
    ShareFull, ShareDown
    """
    about = asked.model_dump(exclude={"filename", "size_bytes", "sha256"})
    return store.begin(
        asked.filename, asked.size_bytes, asked.sha256, part_bytes=part_bytes, max_bytes=max_bytes, about=about
    )


def told(store: PartStore, begun: Begun) -> Upload:
    """How far it is."""
    return Upload(
        id=begun.id,
        tag=begun.about["tag"],
        filename=begun.filename,
        size_bytes=begun.size_bytes,
        part_bytes=begun.part_bytes,
        parts=begun.parts,
        received=sorted(store.received(begun)),
        version=version_of(store, begun),
    )


def version_of(store: PartStore, begun: Begun) -> int | None:
    """The version that was made of it; None before it is complete."""
    done = store.result_of(begun)
    return None if done is None else int(done["version"])
