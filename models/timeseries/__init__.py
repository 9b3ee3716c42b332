"""Fills the missing years of a country indicator from the series itself, with intervals.

The methods are those of pandas' `Series.interpolate`, and `auto`, which compares them and structural models on the
series; `docs/timeseries.md` describes them.
"""

from common.plugins import OldPrefix, Plugin
from models._indicators import source
from models._indicators.old_errors import old_error
from models.timeseries import choices
from models.timeseries.routes import estimate_body_s, router


def _load() -> None:
    source.load_current()
    import scipy.interpolate  # noqa: F401 - the first request shall not wait for it

    choices.shape(source.current())


plugin = Plugin(
    load=_load,
    datasets=source.datasets,
    estimate=estimate_body_s,
    prefixes=[OldPrefix("/statimpute", old_error)],
    # Of the generated data set.
    examples={
        "auto": {"target": "dev-literacy.adult", "country": "COK"},
        "pandas": {
            "target": "dev-literacy.adult",
            "country": "COK",
            "method": "spline",
            "direction": "forward",
            "d": 3,
        },
    },
)

__all__ = ["plugin", "router"]
