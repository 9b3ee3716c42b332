"""Runs of real Spark jobs that Atoll carries, for where there are none of one's own. README.md tells of them."""

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson

from models.scaleout.records import Application
from models.scaleout.rows import application_of

PATH = Path(__file__).with_name("runs.jsonl.gz")


@cache
def carried() -> tuple[Application, ...]:
    """The runs, in the order in which they were made."""
    return tuple(read(PATH))


def read(path: Path) -> Iterator[Application]:
    """Runs of a file with one a line: `{"application": …, "jobs": […]}`, as `models.scaleout.rows` has them."""
    with gzip.open(path) as file:
        for line in file:
            told = orjson.loads(line)
            yield application_of(told["application"], told["jobs"])
