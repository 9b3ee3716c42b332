"""Jobs that misbehave, and the runner that runs them in processes of their own."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from common.clock import SystemClock
from common.database import Database
from common.jobs.blobs import ShareBlobs
from common.jobs.context import JobContext
from common.jobs.queues.table import TableQueue
from common.jobs.records import Job, Result
from common.jobs.runner import Runner
from common.jobs.states import Kind
from common.jobs.store import JobStore
from common.settings import Settings
from common.storage import open_share


class Misbehaving:
    """Does what the job's path names; leaves the number of its process in a file named as the job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, job: Job, context: JobContext) -> Result:
        (self._folder / f"{job.id}-{job.epoch}").write_text(str(os.getpid()))
        getattr(self, job.path.strip("/"))(context)
        return Result(body=str(os.getpid()).encode())

    def answer(self, context: JobContext) -> None:
        """What a good job does."""

    def tell(self, context: JobContext) -> None:
        print("half", end=" a line\n")  # noqa: T201  # what a model's code does
        print(f"connecting with {os.environ['PLANTED_PASSWORD']}")  # noqa: T201
        context.progress(0.5, "half way")

    def wait(self, context: JobContext) -> None:
        while not context.wait_cancelled(0.01):
            pass
        context.check_cancelled()

    def spin(self, context: JobContext) -> None:
        while True:
            pass

    def hold(self, context: JobContext) -> None:
        """Keep the interpreter for itself: no other thread of the process runs until this ends, in years."""
        re.match(r"(a+)+$", "a" * 64 + "b")

    def start_program(self, context: JobContext) -> None:
        program = subprocess.Popen(["sleep", "1000"])
        (self._folder / "program").write_text(str(program.pid))
        program.wait()

    def leave_process(self, context: JobContext) -> None:
        os._exit(3)

    def crash(self, context: JobContext) -> None:
        if context.job.attempts == 1:
            os.kill(os.getpid(), signal.SIGSEGV)

    def allocate(self, context: JobContext) -> None:
        taken = []
        while True:
            taken.append(bytearray(16_000_000))

    def doze(self, context: JobContext) -> None:
        time.sleep(1.5)


def build(settings: Settings) -> Runner:
    """A runner as a worker's process has it, with those jobs instead of an app."""
    clock = SystemClock()
    database = Database.build(settings)
    store = JobStore(database, clock, ShareBlobs(open_share(settings.storage)), settings.jobs)
    jobs = Misbehaving(settings.storage.state_dir)
    return Runner(store, TableQueue(database, clock), {Kind.TRAINING: jobs}, settings.jobs, clock)
