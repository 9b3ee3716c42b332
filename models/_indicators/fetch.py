"""Data sets from public sources, for `atoll datasets pull`: which sources there are.

`fetch_http` asks, `fetch_world_bank` and `fetch_undp` know what a source says, `fetch_files` writes. What they need is
imported when a pull begins, since the app imports this module at start.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from common.plugins import Pull

if TYPE_CHECKING:
    from models._indicators.fetch_files import Table
    from models._indicators.fetch_http import Fetcher


def world_bank(pull: Pull) -> Mapping[str, object]:
    """Indicators of the World Bank's API, version 2."""
    from models._indicators.fetch_world_bank import ADDRESS, ask

    return _build(pull, ADDRESS, ask)


def undp(pull: Pull) -> Mapping[str, object]:
    """Composite indices of UNDP's Human Development Report."""
    from models._indicators.fetch_undp import ADDRESS, ask

    return _build(pull, ADDRESS, ask)


PULLS: Mapping[str, Callable[[Pull], Mapping[str, object]]] = {"world-bank": world_bank, "undp": undp}


def _build(pull: Pull, address: str, ask: "Callable[[Fetcher, str, Pull], Table]") -> Mapping[str, object]:
    """Ask the source and write the files.

    Raises:
        Conflict: the folder holds a data set that must not be replaced.
        NotFound: the source does not know an indicator, or has nothing of the years.
        Invalid: no code, or none that can be one.
        DependencyFailed: the source does not answer, or says something else than it should.
    """
    from models._indicators.fetch_files import refuse_to_replace, write
    from models._indicators.fetch_http import Fetcher

    if not pull.replace:
        refuse_to_replace(pull.into)
    with Fetcher(pull.cache, fresh=pull.fresh, mirror=pull.address) as fetcher:
        table = ask(fetcher, (pull.address or address).rstrip("/"), pull)
    write(pull.into, table)
    return {
        "folder": str(pull.into),
        "indicators": len(table.indicators),
        "countries": len(table.countries),
        "years": f"{table.years[0]}:{table.years[-1]}",
        "filled": round(table.filled, 4),
        "without_data": list(table.without_data),
        "requests": fetcher.requests,
        "from_cache": fetcher.from_cache,
    }
