"""Run times of Spark jobs, and how many executors meet a deadline.

Runs are recorded job by job (`/scaleout/applications`, and the listener's `/training` and `/prediction`); models learn
from them; `/scaleout/predict` tells what a run would take, and the listener is told how many executors to ask for.
"""

from fastapi import APIRouter

router = APIRouter(prefix="/scaleout", tags=["Scale-out"])
