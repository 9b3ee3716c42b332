"""Files of installed packages that pages load: the chart library.

A file is known by its SHA-256, which is that of the release its authors published, whoever put it into a package. One
that differs is not served: a page that runs what nobody looked at would be worse than one without charts.
"""

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from common.errors import NotFound
from common.http.content import Content
from common.telemetry.logs import get_logger

log = get_logger("atoll.console")

PREFIX = "/console/packages"


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file within an installed package.

    Parameters
    ----------
    package : its name as it is imported, which it is not: only its folder is looked up.
    path : below the package's folder.
    sha256 : of the bytes, in hexadecimal.
    """

    package: str
    path: str
    sha256: str
    media_type: str = "text/javascript; charset=utf-8"


FILES: Mapping[str, PackageFile] = {
    # Apache ECharts 5.5.1, `dist/echarts.min.js` of its release.
    "echarts.js": PackageFile(
        "vizly", "assets/echarts.min.js", "e84270bd0cd5bdf60fefc26d00c2a391cb2e81f4d26a7a9ee16185a54773a3cf"
    ),
}


def url(name: str) -> str:
    """The address of a file, which changes with its content; nothing is read to tell it."""
    return f"{PREFIX}/{FILES[name].sha256[:16]}/{name}"


def folder_of(package: str) -> Path | None:
    """Where an installed package lies, without importing it; None if it is not there."""
    found = importlib.util.find_spec(package)
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


@lru_cache(maxsize=16)
def read(name: str) -> Content:
    """A file, compressed; the first call takes some 100 ms.

    Raises
    ------
    NotFound
        There is no file of this name, its package is not installed, or it is not the one that is known.
    """
    file = FILES.get(name)
    if file is None:
        raise NotFound(f"there is no {name[:80]!r} here; there is {', '.join(FILES)}")
    folder = folder_of(file.package)
    if folder is None or not (folder / file.path).is_file():
        raise NotFound(f"the package {file.package} is not installed: `pip install -r requirements.txt` brings it")
    body = (folder / file.path).read_bytes()
    if hashlib.sha256(body).hexdigest() != file.sha256:
        log.error("a file of a package is another than expected", package=file.package, path=file.path)
        raise NotFound(f"{name} of the package {file.package} is another than this version of Atoll was made with")
    return Content.of(body, file.media_type)
