"""The districts to learn from: a CSV file with the eight figures and the median value of a house."""

import hashlib
import io
import zlib

from common.errors import Invalid
from common.storage.share import FileMissing, Share
from models.housing.features import FEATURES, TARGET
from models.housing.fitting import Part

FILE = "california_housing.csv.gz"
# With fewer there is nothing to hold back for the test and for the intervals.
LEAST = 200


def read_share(share: Share, dataset: str) -> tuple[Part, str]:
    """The data set `dataset` on a share, and the SHA-256 of its file.

    Raises
    ------
    Invalid
        The file is missing or does not hold what it should.
    ShareDown
    """
    path = f"datasets/{dataset}/{FILE}"
    try:
        content = b"".join(share.read(path))
    except FileMissing:
        told = f"has no {FILE}; send it with PUT /datasets/{dataset}/{FILE}"
        raise Invalid.field("dataset", told, dataset) from None
    return read(content), hashlib.sha256(content).hexdigest()


def read(content: bytes) -> Part:
    """Districts of a compressed CSV file; figures may be missing, values may not. Raises `Invalid`."""
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(content), compression="gzip", usecols=[*FEATURES, TARGET], dtype="float64")
    except (ValueError, OSError, EOFError, zlib.error) as exc:
        raise Invalid.field("dataset", f"{FILE}: {exc}") from None
    part = Part(table[list(FEATURES)].to_numpy(copy=True), table[TARGET].to_numpy(copy=True))
    known = table[TARGET].notna().to_numpy() & ~table[list(FEATURES)].isin([float("inf"), float("-inf")]).any(axis=1)
    if not known.all():
        raise Invalid.field("dataset", f"{FILE}, line {int((~known).argmax()) + 2}: {TARGET} is missing, or infinite")
    if len(part) < LEAST:
        raise Invalid.field("dataset", f"{FILE} has {len(part)} districts; at least {LEAST} are needed")
    return part
