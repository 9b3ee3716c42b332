"""A client of Atoll for Python: `Client`, or `AsyncClient` with the same methods to await.

What to ask, when to ask again and what an answer means is decided once, in `flows`; the two clients only do the
talking and the waiting. Importing this imports nothing of the server.
"""

from common.client.asynchronous import AsyncClient, AsyncJob
from common.client.errors import AtollClientError, JobUnsuccessful, StillRunning, Unreachable
from common.client.model import AsyncModel, Model
from common.client.sync import Client, Job
from common.client.tasks import AsyncTask, Task
from common.client.tasks_view import TaskView
from common.client.view import JobView

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncModel",
    "AsyncTask",
    "AtollClientError",
    "Client",
    "Job",
    "JobUnsuccessful",
    "JobView",
    "Model",
    "StillRunning",
    "Task",
    "TaskView",
    "Unreachable",
]
