"""A task's objects in the bucket."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

from common.submission.records import LogPart, Package
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.connection import Connection
from common.submission.runners.aws.failures import reporting
from common.submission.runners.aws.jobs import URL_S
from common.submission.runners.objects.archive import pack
from common.submission.runners.objects.manifest import PLACES, End, Slot, manifest, parse_end

_MAX_SMALL_BYTES = 10_000
_CHUNK_BYTES = 1 << 20
# A package up to so much is put together in memory.
_SPOOLED_BYTES = 16 << 20
_LISTED = 1000


class Bucket:
    """Objects below `<prefix>/<name of the submission>/`."""

    def __init__(self, config: AwsBatchConfig, connection: Connection) -> None:
        self._config = config
        self._connection = connection

    def place(self, name: str, numbers: Sequence[int] | None, package: Package, limit_s: int | None) -> str:
        """Put a package and its manifest there; the manifest's signed address."""
        from boto3.s3.transfer import TransferConfig

        s3 = self._connection.s3
        with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
            pack(package, cast(IO[bytes], file))
            file.seek(0)
            with reporting("putting files into the bucket", asks=True):
                s3.upload_fileobj(
                    file,
                    self._config.bucket,
                    self._key(name, PLACES.package),
                    # Its threads would outlive a call that failed.
                    Config=TransferConfig(use_threads=False),
                )
        slots = [self._slot(name, index) for index in (numbers if numbers is not None else [None])]
        every_s = self._config.log_every_s if self._config.live_logs == "bucket" else 0
        text = manifest(self._signed("get_object", name, PLACES.package), slots, limit_s=limit_s, log_every_s=every_s)
        with reporting("putting files into the bucket", asks=True):
            s3.put_object(Bucket=self._config.bucket, Key=self._key(name, PLACES.manifest), Body=text)
        return self._signed("get_object", name, PLACES.manifest)

    def end(self, name: str, index: int | None) -> End | None:
        """What a task's container said at its end."""
        content = self.read(name, PLACES.end(index), 0, _MAX_SMALL_BYTES)
        return parse_end(content.content) if content else None

    def read(self, name: str, place: str, offset: int, limit: int) -> LogPart | None:
        """A piece of an object; None if there is none."""
        s3 = self._connection.s3
        wanted = {"Bucket": self._config.bucket, "Key": self._key(name, place)}
        with reporting("reading from the bucket"):
            size_bytes = self._size(wanted)
            if size_bytes is None:
                return None
            if offset >= size_bytes or limit <= 0:
                return LogPart(b"", offset, size_bytes)
            answer = s3.get_object(**wanted, Range=f"bytes={offset}-{offset + limit - 1}")
            with answer["Body"] as body:
                return LogPart(body.read(limit), offset, size_bytes)

    def open(self, name: str, place: str) -> Any:
        """An object as a stream, to be closed; None if there is none."""
        wanted = {"Bucket": self._config.bucket, "Key": self._key(name, place)}
        with reporting("reading from the bucket"):
            return None if self._size(wanted) is None else self._connection.s3.get_object(**wanted)["Body"]

    def remove(self, name: str) -> None:
        """Remove all of a task's objects."""
        s3 = self._connection.s3
        with reporting("emptying the bucket"):
            while True:
                found = s3.list_objects_v2(Bucket=self._config.bucket, Prefix=self._key(name, ""), MaxKeys=_LISTED)
                keys = [{"Key": one["Key"]} for one in found.get("Contents", [])]
                if not keys:
                    return
                s3.delete_objects(Bucket=self._config.bucket, Delete={"Objects": keys, "Quiet": True})
                if not found.get("IsTruncated"):
                    return

    def check(self) -> None:
        """Ask for the bucket itself."""
        with reporting("looking at the bucket"):
            self._connection.s3.head_bucket(Bucket=self._config.bucket)

    def _size(self, wanted: dict[str, str]) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return int(self._connection.s3.head_object(**wanted)["ContentLength"])
        except ClientError as exc:
            if exc.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise

    def _slot(self, name: str, index: int | None) -> Slot:
        return Slot(
            index,
            {
                "log": self._signed("put_object", name, PLACES.log(index)),
                "output": self._signed("put_object", name, PLACES.output(index)),
                "end": self._signed("put_object", name, PLACES.end(index)),
                # Only whoever is first may write it.
                "claim": self._signed("put_object", name, PLACES.claim, IfNoneMatch="*"),
                "owner": self._signed("get_object", name, PLACES.claim),
            },
        )

    def _signed(self, method: str, name: str, place: str, **more: str) -> str:
        wanted = {"Bucket": self._config.bucket, "Key": self._key(name, place), **more}
        with reporting("signing addresses"):
            return str(self._connection.s3.generate_presigned_url(method, Params=wanted, ExpiresIn=URL_S))

    def _key(self, name: str, place: str) -> str:
        return f"{self._config.prefix}/{name}/{place}"


def chunks(body: Any) -> Iterator[bytes]:
    """The parts of a stream."""
    with reporting("reading from the bucket"):
        while part := body.read(_CHUNK_BYTES):
            yield part
