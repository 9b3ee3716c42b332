"""How many executors a run starts with, and whether to change them once a job has ended. Pure: no I/O, no clock.

`initial` and `online` take forecasts from whatever model is there and give a `Plan`; `Corrected` is the model for
runs of which only the times of the jobs are known.
"""

from models.scaleout.decide.chance import chance, quantile
from models.scaleout.decide.corrected import Corrected, Progress
from models.scaleout.decide.cost import Rescaling, Rules
from models.scaleout.decide.initial import initial
from models.scaleout.decide.online import Standing, online
from models.scaleout.decide.plan import ByJob, Choice, Plan, Remaining

__all__ = [
    "ByJob",
    "Choice",
    "Corrected",
    "Plan",
    "Progress",
    "Remaining",
    "Rescaling",
    "Rules",
    "Standing",
    "chance",
    "initial",
    "online",
    "quantile",
]
