"""Attempts to have a program run twice, or by nobody, through either of the runners for Slurm, in the lab's cluster."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import httpx
import pytest

from common.jobs.states import State
from common.storage.blobs import BlobRef
from common.submission.decide import SubmitJob, decide
from common.submission.errors import ClusterDown
from common.submission.records import Known, Observation, Submission, Task
from common.submission.runners.base import Runner
from common.submission.runners.slurm.ssh.config import SlurmSshConfig
from common.submission.runners.slurm.ssh.runner import SlurmSshRunner
from common.submission.states import TaskState
from tests.common.submission.runners.slurm.tasks import known, package, submission
from tests.support import slurm_rest
from tests.support.datasets import CHECKOUT
from tests.support.slurm_lab import SlurmLab, slurm_lab, wait_until

RAN = 'echo ran >>"$ATOLL_OUTPUT_DIR/ran"; sleep 1; exit 3\n'
BOTH = pytest.mark.parametrize("kind", ["slurm-ssh", "slurm-rest"])
# Submits one task, and says its number; it begins when it is told to, so that many begin at the same moment.
SUBMITS = """
import json, sys
from common.submission.records import Submission
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.runner import SlurmRestRunner
from common.submission.runners.slurm.ssh.config import SlurmSshConfig
from common.submission.runners.slurm.ssh.runner import SlurmSshRunner
from common.submission.spec import TaskSpec
from tests.common.submission.runners.slurm.tasks import package

told = json.loads(sys.argv[1])
if told["section"]["kind"] == "slurm-rest":
    runner = SlurmRestRunner(SlurmRestConfig.model_validate(told["section"]))
else:
    runner = SlurmSshRunner(SlurmSshConfig.model_validate(told["section"]))
spec = TaskSpec.model_validate(told["task"].pop("spec"))
task = Submission(spec=spec, **told["task"])
found = package(task, runner.config, told["program"])
runner.info()
print("ready", flush=True)
sys.stdin.readline()
print(runner.submit(task, found), flush=True)
runner.close()
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found, found.shared():
        yield found


@contextlib.contextmanager
def runner_for(kind: str, lab: SlurmLab) -> Iterator[Runner]:
    if kind == "slurm-rest":
        with slurm_rest.runner(lab) as found:
            yield found
        return
    by_ssh = SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section()))
    yield by_ssh
    by_ssh.close()


@contextlib.contextmanager
def submitting(runner: Runner, task: Submission, program: str = RAN) -> Iterator[subprocess.Popen[str]]:
    """A process that is about to submit a task."""
    told = {
        "section": {"kind": runner.kind, **json.loads(runner.config.model_dump_json())},
        "task": {**asdict(task), "spec": task.spec.to_row()},
        "program": program,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SUBMITS, json.dumps(told)],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def number(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(runner: Runner, one: Known) -> Observation:
    """What is told once all jobs of the name have ended."""

    def look() -> Observation | None:
        told = runner.observe([one])
        return told[0] if told and all(each.state.is_finished for each in told) else None

    return wait_until(look, f"{one.name} has ended")


def times_run(runner: Runner, one: Known) -> int:
    files = {path: b"".join(parts) for path, parts in runner.collect(one)}
    return files.get("output/ran", b"").count(b"ran")


def sbatch(lab: SlurmLab, runner: Runner, task: Submission, *options: str) -> str:
    """Another job of the same name and folder, as nothing but a submission that nobody heard of again would make."""
    account = ["setpriv", f"--reuid={lab.user}", f"--regid={lab.user}", "--init-groups"]
    done = subprocess.run(
        [*account, "sbatch", "--parsable", "--chdir=/tmp", *options],
        input=runner.preview(task),
        env={"PATH": os.environ["PATH"], "HOME": f"/home/{lab.user}"},
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


@BOTH
def test_two_processes_that_submit_the_same_at_the_same_moment_make_one_job(lab: SlurmLab, kind: str) -> None:
    with runner_for(kind, lab) as runner:
        task = submission()
        with contextlib.ExitStack() as stack:
            processes = [stack.enter_context(submitting(runner, task)) for _ in range(3)]
            for process in processes:
                begin(process)
            numbers = {number(process) for process in processes}

        assert numbers == set(lab.jobs_named(task.name))
        assert len(numbers) == 1
        one = ended(runner, known(task, numbers.pop()))
        assert (one.state, one.exit_code) == (TaskState.FAILED, 3)
        assert times_run(runner, known(task, one.cluster_job_id)) == 1


@BOTH
def test_a_process_that_is_killed_while_it_submits_leaves_neither_a_twin_nor_nothing(lab: SlurmLab, kind: str) -> None:
    chance = random.Random(7)
    with runner_for(kind, lab) as runner:
        tasks = [submission() for _ in range(8)]
        for task in tasks:
            with submitting(runner, task) as process:
                begin(process)
                time.sleep(chance.uniform(0, 0.06))
                process.send_signal(signal.SIGKILL)
                process.wait()
        again = [known(task, runner.submit(task, package(task, runner.config, RAN))) for task in tasks]

        for one in again:
            assert ended(runner, one).cluster_job_id == one.cluster_job_id
            assert lab.jobs_named(one.name) == [one.cluster_job_id]
            assert times_run(runner, one) == 1


@BOTH
@pytest.mark.parametrize("recorded", [0, 1])
def test_of_two_jobs_of_a_name_the_one_that_ran_the_program_is_told(lab: SlurmLab, kind: str, recorded: int) -> None:
    with runner_for(kind, lab) as runner:
        task = submission()
        first = runner.submit(task, package(task, runner.config, RAN))
        numbers = [first, sbatch(lab, runner, task)]

        one = known(task, numbers[recorded])
        ended(runner, one)

        assert times_run(runner, one) == 1
        assert decided(runner, one) == (TaskState.FAILED, 3)


@BOTH
@pytest.mark.parametrize("recorded", [0, 1])
def test_of_two_arrays_of_a_name_one_runs_all_elements(lab: SlurmLab, kind: str, recorded: int) -> None:
    with runner_for(kind, lab) as runner:
        task = submission(array="0-3")
        program = 'echo ran >>"$ATOLL_OUTPUT_DIR/ran"; exit $ATOLL_ARRAY_INDEX\n'
        first = runner.submit(task, package(task, runner.config, program))
        numbers = [first, sbatch(lab, runner, task)]

        one = known(task, numbers[recorded])
        ended(runner, one)

        assert times_run(runner, one) == 4
        assert decided(runner, one)[0] is TaskState.FAILED


def decided(runner: Runner, one: Known) -> tuple[TaskState, int | None]:
    """What becomes of a task that is known by this number, by all that its cluster tells."""
    now = datetime.now(UTC)
    task = Task(
        id=one.task_id,
        owner=one.owner,
        spec=one.spec,
        program=BlobRef("0" * 64, 1),
        state=TaskState.PENDING,
        attempt=1,
        name=one.name,
        job_id=None,
        cluster_job_id=one.cluster_job_id,
        reason=None,
        exit_code=None,
        signal=None,
        nodes=(),
        created_at=now,
        submitted_at=now,
        started_at=None,
        finished_at=None,
        cpu_time_s=None,
        peak_memory_bytes=None,
        restarts=0,
        elements=(),
        cancel_asked=False,
        files="none",
        run_id=None,
        metrics={},
    )
    seen = runner.observe([one])
    values = decide(task, seen, now, forget_after_s=300, job=SubmitJob(State.SUCCEEDED)).values
    return values["state"], values.get("exit_code")


# -- by REST, at the two moments that count ----------------------------------------------------------------------------


class Fails(httpx.BaseTransport):
    """The real slurmrestd, but for submissions: they, or only their answers, are lost."""

    def __init__(self, *, is_sent: bool) -> None:
        self._real = httpx.HTTPTransport()
        self._is_sent = is_sent
        self.is_broken = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.is_broken or request.method != "POST":
            return self._real.handle_request(request)
        if self._is_sent:
            self._real.handle_request(request).read()
        raise httpx.ReadTimeout("lost", request=request)

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("is_sent", [False, True])
def test_a_submission_whose_answer_is_lost_is_made_once(lab: SlurmLab, is_sent: bool) -> None:
    network = Fails(is_sent=is_sent)
    with slurm_rest.runner(lab, transport=network) as runner:
        task = submission()
        with pytest.raises(ClusterDown):
            runner.submit(task, package(task, runner.config, RAN))
        network.is_broken = False

        one = known(task, runner.submit(task, package(task, runner.config, RAN)))

        assert lab.jobs_named(task.name) == [one.cluster_job_id]
        assert ended(runner, one).exit_code == 3
        assert times_run(runner, one) == 1


def test_a_twin_that_waits_is_told_so_that_it_can_be_ended(lab: SlurmLab) -> None:
    with slurm_rest.runner(lab) as runner:
        task = submission()
        one = known(task, runner.submit(task, package(task, runner.config, "sleep 30")))
        slurm_rest.seen(runner, one, lambda told: told.state is TaskState.RUNNING)
        twin = sbatch(lab, runner, task, "--hold")

        told = {each.cluster_job_id: each.state for each in runner.observe([one])}
        assert told == {one.cluster_job_id: TaskState.RUNNING, twin: TaskState.PENDING}
        runner.cancel(known(task, twin))
        runner.cancel(one)
        assert ended(runner, one).state is TaskState.CANCELLED
