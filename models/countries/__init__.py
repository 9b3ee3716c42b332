"""How alike countries are: correlation of their profiles of indicators, and clusters of countries.

`docs/countries.md` describes the method.
"""

from common.plugins import OldPrefix, Plugin
from models._indicators import source
from models._indicators.old_errors import old_error
from models.countries.routes import router

plugin = Plugin(
    load=source.load_current,
    datasets=source.datasets,
    prefixes=[OldPrefix("/correlation", old_error)],
)

__all__ = ["plugin", "router"]
