"""Groups of people who answer a survey alike.

`docs/survey.md` describes the method.
"""

from common.plugins import OldPrefix, Plugin
from models._indicators.old_errors import old_error
from models.survey.examples import EXAMPLES
from models.survey.routes import router

plugin = Plugin(prefixes=[OldPrefix("/survey", old_error)], examples=EXAMPLES)

__all__ = ["plugin", "router"]
