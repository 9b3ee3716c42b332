"""The files of a data set: where they are, what their content hashes to, their rows one at a time."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from models._indicators.errors import DataSetError, refuse

REQUIRED = ("indicatorData", "indicatorMeta", "datasetMeta")
OPTIONAL = ("countryMeta",)
SUFFIXES = (".csv", ".csv.gz")

_BUFFER_BYTES = 1 << 18


def find_files(folder: Path) -> dict[str, Path]:
    """The files of the data set in `folder`.

    Returns:
        `indicatorData`, `indicatorMeta`, `datasetMeta` and, where there is one, `countryMeta` -> path.

    Raises:
        DataSetError: a required file is missing (all missing ones are named), or one is there twice, as `.csv` and
            `.csv.gz`, so that it is unclear which of them counts.
    """
    name = folder.resolve().name
    found: dict[str, Path] = {}
    for stem in REQUIRED + OPTIONAL:
        candidates = [path for suffix in SUFFIXES if (path := folder / (stem + suffix)).is_file()]
        if len(candidates) > 1:
            raise DataSetError(f"{name}/{stem}", "is there both as .csv and as .csv.gz; keep the one that counts")
        if candidates:
            found[stem] = candidates[0]
    if missing := [stem for stem in REQUIRED if stem not in found]:
        what = "missing" if folder.is_dir() else "missing (there is no such folder)"
        raise DataSetError(", ".join(f"{name}/{stem}" for stem in missing), f"{what}; expected each as .csv or .csv.gz")
    return found


def digest(paths: Mapping[str, Path]) -> str:
    """SHA-256 over the files as they lie on disk, in hexadecimal.

    Compressed files are hashed compressed: three times less to read than the text and no decompression on every start.
    The price is that compressing the same text anew gives another digest, hence one more parse.

    Raises:
        DataSetError: a file cannot be read.
    """
    total = hashlib.sha256()
    for stem in sorted(paths):
        path = paths[stem]
        try:
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256")
        except OSError as error:
            raise _unreadable(path, error) from error
        total.update(f"{path.name} {content.hexdigest()}\n".encode())
    return total.hexdigest()


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, the header included, blank lines left out: (line number, fields).

    Raises:
        DataSetError: the file cannot be read, is broken gzip, not UTF-8 or malformed CSV.
    """
    line = 0
    try:
        with path.open("rb") as raw:
            packed = path.name.endswith(".gz")
            binary = io.BufferedReader(gzip.GzipFile(fileobj=raw), _BUFFER_BYTES) if packed else raw
            with io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text, strict=True)
                for fields in reader:
                    line = reader.line_num
                    if fields:
                        yield line, fields
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refuse(path, f"is not valid gzip ({error}); copy or compress the file again") from error
    except UnicodeDecodeError as error:
        bad = hex(error.object[error.start])
        raise refuse(path, f"byte {bad} is not UTF-8; save the file as UTF-8", line=_undecodable(path)) from error
    except csv.Error as error:
        raise refuse(path, f"is not valid CSV ({error})", line=line + 1) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _undecodable(path: Path) -> int | None:
    """The first line that is not UTF-8: the decoder reads ahead, so the rows read so far do not tell."""
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rb") as stream:
        for number, text in enumerate(stream, start=1):
            try:
                text.decode()
            except UnicodeDecodeError:
                return number
    return None


def _unreadable(path: Path, error: OSError) -> DataSetError:
    return refuse(path, f"cannot be read ({error.strerror or type(error).__name__})")
