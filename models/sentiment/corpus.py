"""The texts to learn from and to measure on: a folder with `train`, `dev` and `test`, each `.tsv.gz`.

A file has a header and then a line a text: `label<TAB>sentence`, the label 0 (negative) or 1 (positive), as GLUE's
SST-2 (Socher et al. 2013; Wang et al. 2019) is kept.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid
from common.storage.share import FileMissing, Share

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class Part:
    """texts: n; labels: (n,) int64, 0 negative and 1 positive."""

    texts: tuple[str, ...]
    labels: NDArray[np.int64]

    def first(self, most: int | None) -> "Part":
        """The first `most` texts; None for all."""
        return self if most is None else Part(self.texts[:most], self.labels[:most])


@dataclass(frozen=True)
class Corpus:
    """The three parts, and the digest of their files."""

    train: Part
    dev: Part
    test: Part
    digest: str

    @classmethod
    def read(cls, share: Share, folder: str = "") -> "Corpus":
        """Read a folder of a share; half a second for one on this machine.

        Raises
        ------
        Invalid
            A file is missing or is not as described above; says which one, and where.
        ShareDown
        """
        digest = hashlib.sha256()
        parts = {}
        for name in PARTS:
            file = f"{name}.tsv.gz"
            try:
                content = b"".join(share.read(f"{folder}/{file}".lstrip("/")))
                text = gzip.decompress(content).decode("utf-8")
            except FileMissing:
                name = folder.rpartition("/")[2]
                raise Invalid.field("dataset", f"has no {file}; PUT /datasets/{name}/{file} brings it", name) from None
            except (OSError, EOFError, zlib.error, UnicodeDecodeError) as exc:
                raise Invalid.field("dataset", f"{file} is no compressed text: {exc}", folder) from None
            digest.update(hashlib.sha256(content).digest())
            parts[name] = _part(text, file)
        return cls(**parts, digest=digest.hexdigest())


def _part(text: str, file: str) -> Part:
    texts, labels = [], []
    for number, line in enumerate(text.rstrip("\n").split("\n")[1:], start=2):
        label, tab, sentence = line.partition("\t")
        if label not in ("0", "1") or not tab:
            raise Invalid.field("dataset", f"{file}, line {number}: not `0` or `1`, a tab and a text", line[:80])
        texts.append(sentence.strip())
        labels.append(int(label))
    if not texts:
        raise Invalid.field("dataset", f"{file} has no texts", file)
    return Part(tuple(texts), np.array(labels, np.int64))
