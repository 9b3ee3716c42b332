"""Doing a batch: one part after the other, each written to the share when it is done, and the table at the end.

::

    imputation/parts/<first two>/<key>.json    a part; its first line is the SHA-256 of the rest
    imputation/batches/<sha256>.csv            a table, named by the SHA-256 of its bytes

Whoever is killed leaves the parts that were done; the next attempt reads them and goes on. A part or a table that is
not whole is as good as none.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from common.errors import Busy, DependencyFailed, Invalid, NotFound
from common.serving import progress
from common.serving.pool import WorkPool
from common.storage import FileMissing, Share
from common.telemetry.logs import get_logger
from models._indicators import IndicatorSet
from models.imputation.batch import Part, Plan, part_key, part_of, table
from models.imputation.definitions import BatchResponse, FilledTarget, SkippedTarget
from models.imputation.spec import Spec

log = get_logger("atoll.imputation")
T = TypeVar("T")

FOLDER = "imputation"
_PARTS, _TABLES = f"{FOLDER}/parts", f"{FOLDER}/batches"
LEAVES = (_PARTS, _TABLES)
# Predictions of others come first where the pool is full.
_BUSY_S = 0.5
_REASON_CHARS = 300


async def run(data: IndicatorSet, plan: Plan, share: Share, pool: WorkPool) -> BatchResponse:
    """Do what is left of a batch, and write its table.

    A place in the pool is taken for one target at a time, so that predictions get their turn in between.

    Raises
    ------
    ShareDown, ShareFull
        What is done stays.
    """
    parts = []
    for number, (code, spec) in enumerate(plan.questions):
        work = partial(_one, data, code, spec, share, number, len(plan.questions))
        parts.append(await _patiently(pool, work))
    return await _patiently(pool, partial(_finish, plan, parts, share))


def open_table(share: Share, digest: str) -> tuple[int, Iterator[bytes]]:
    """Size in bytes and content of a table that a batch has written; `digest` is the SHA-256 (hex) of its bytes.

    It is read twice, so that none that is damaged is given out, and none has to fit in memory.

    Raises
    ------
    NotFound
        There is none.
    DependencyFailed
        It is damaged.
    """
    try:
        size_bytes, found = 0, hashlib.sha256()
        for chunk in share.read(_table_path(digest)):
            size_bytes += len(chunk)
            found.update(chunk)
    except FileMissing:
        raise NotFound(f"there is no table {digest}; POST /imputation/batch makes one") from None
    if found.hexdigest() != digest:
        raise DependencyFailed("the table is damaged; POST /imputation/batch writes it again from its parts")
    return size_bytes, share.read(_table_path(digest))


def load_part(share: Share, key: str) -> Part | None:
    """A part if it is there and whole."""
    try:
        told, _, content = b"".join(share.read(_part_path(key))).partition(b"\n")
    except FileMissing:
        return None
    if hashlib.sha256(content).hexdigest().encode() != told:
        log.warning("batch part is damaged; computing it again", part=key)
        return None
    try:
        return Part.model_validate_json(content)
    except ValidationError:
        return None


def save_part(share: Share, key: str, part: Part) -> None:
    content = part.model_dump_json().encode()
    share.write(_part_path(key), [hashlib.sha256(content).hexdigest().encode() + b"\n", content])


class _Inner:
    """Passes on how far a target is, without its messages: those of the batch tell more."""

    def __init__(self, outer: progress.Listener) -> None:
        self._outer = outer

    def check_cancelled(self) -> None:
        self._outer.check_cancelled()

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        self._outer.progress(fraction)


def _one(data: IndicatorSet, code: str, spec: Spec, share: Share, number: int, count: int) -> Part:
    """A part from the share, or computed and put there; on a thread of the pool."""
    with progress.share(number, count):
        progress.report(0.0, f"{number} of {count} targets")
        key = part_key(data, spec)
        found = load_part(share, key)
        if found is None:
            outer = progress.listener()
            if outer is None:
                found = _compute(data, code, spec)
            else:
                with progress.listening(_Inner(outer)):
                    found = _compute(data, code, spec)
            if found.lasts:
                save_part(share, key, found)
            log.info("batch part", target=code, part=key, number=number, count=count)
        return found


def _compute(data: IndicatorSet, code: str, spec: Spec) -> Part:
    # Brings scikit-learn.
    from models.imputation import service

    try:
        return part_of(code, service.predict(data, spec))
    except Invalid as exc:
        return Part(target=code, reason=exc.detail)
    # A mistake of ours with one odd column must not cost the others; it is computed again with the next attempt.
    except (ArithmeticError, LookupError, ValueError) as exc:
        log.error("batch target failed", target=code, exc_info=exc)
        return Part(target=code, reason=f"failed: {type(exc).__name__}: {exc}"[:_REASON_CHARS], lasts=False)


def _finish(plan: Plan, parts: list[Part], share: Share) -> BatchResponse:
    count = len(parts)
    progress.report(1.0, f"{count} of {count} targets")
    content = table(plan.year, parts)
    digest = hashlib.sha256(content).hexdigest()
    path = _table_path(digest)
    share.write(path, [content])
    skipped = [*plan.skipped, *((part.target, part.reason) for part in parts if part.reason is not None)]
    return BatchResponse(
        file=f"/imputation/batch/{digest}",
        share_path=path,
        sha256=digest,
        size_bytes=len(content),
        rows=sum(len(part.rows) for part in parts),
        target_year=str(plan.year),
        filled=[
            FilledTarget(target=part.target, rows=len(part.rows), rmse=part.rmse, model=part.model)
            for part in parts
            if part.reason is None
        ],
        skipped=[SkippedTarget(target=target, reason=reason) for target, reason in sorted(skipped)],
    )


async def _patiently(pool: WorkPool, work: Callable[[], T]) -> T:
    while True:
        try:
            return await pool.run(work)
        except Busy:
            await asyncio.sleep(_BUSY_S)


def _part_path(key: str) -> str:
    return f"{_PARTS}/{key[:2]}/{key}.json"


def _table_path(digest: str) -> str:
    return f"{_TABLES}/{digest}.csv"
