"""What goes wrong between Atoll and a login node: a real Slurm whose parts are stopped, and a proxy that cuts."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from common.submission.errors import ClusterDown
from common.submission.records import Known, Observation
from common.submission.runners.slurm.ssh.config import SlurmSshConfig
from common.submission.runners.slurm.ssh.runner import SlurmSshRunner
from common.submission.states import TaskState
from tests.campaign.proxy import Proxy
from tests.common.submission.runners.slurm.tasks import known, package, submission
from tests.support.datasets import CHECKOUT
from tests.support.slurm_lab import SlurmLab, slurm_lab, wait_until

# Others may have the cluster for a while.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found:
        yield found


@pytest.fixture
def alone(lab: SlurmLab) -> Iterator[SlurmLab]:
    with lab.exclusive():
        yield lab


@pytest.fixture
def beside(lab: SlurmLab) -> Iterator[SlurmLab]:
    with lab.shared():
        yield lab


def runner_of(lab: SlurmLab, **more: Any) -> SlurmSshRunner:
    return SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section(**{"timeout_s": 5, "stall_s": 5, **more})))


def submit(runner: SlurmSshRunner, program: str, **spec: Any) -> Known:
    task = submission(**spec)
    return known(task, runner.submit(task, package(task, runner.config, program)))


def seen(runner: SlurmSshRunner, one: Known, *states: TaskState) -> Observation:
    def look() -> Observation | None:
        return next((told for told in runner.observe([one]) if told.state in states), None)

    return wait_until(look, f"{one.name} is {states}")


def read_all(files: Iterator[tuple[str, Iterator[bytes]]]) -> None:
    for _, parts in files:
        for _ in parts:
            pass


# -- Slurm -----------------------------------------------------------------------------------------------------------


def everything(runner: SlurmSshRunner, one: Known) -> None:
    """Every method that asks the controller says that it is down."""
    task = submission()
    for ask in (
        lambda: runner.find(task),
        lambda: runner.submit(task, package(task, runner.config, "true")),
        lambda: runner.observe([one]),
        lambda: runner.cancel(one),
    ):
        with pytest.raises(ClusterDown, match="the Slurm controller does not answer"):
            ask()
    assert runner.info().state == "down"


def test_a_controller_that_is_down_is_told_and_nothing_is_lost(alone: SlurmLab) -> None:
    runner = runner_of(alone)
    try:
        one = submit(runner, "exec sleep 300")
        alone.stop_controller()
        everything(runner, one)
        assert runner.read_log(one, 0, 10).content == b""
        alone.start_controller()
        assert seen(runner, one, TaskState.RUNNING, TaskState.PENDING).cluster_job_id == one.cluster_job_id
        runner.cancel(one)
    finally:
        runner.close()


def test_a_controller_that_hangs_is_given_up_in_time(alone: SlurmLab) -> None:
    runner = runner_of(alone, timeout_s=3)
    try:
        one = submit(runner, "exec sleep 300")
        alone.freeze_controller()
        everything(runner, one)
        alone.thaw_controller()
        runner.cancel(one)
        left = subprocess.run(
            ["pgrep", "-u", alone.user, "-x", "sbatch|squeue|scancel"], capture_output=True, text=True
        )
        assert left.stdout == ""
    finally:
        runner.close()


def test_sbatch_that_hangs_leaves_at_most_one_job(alone: SlurmLab) -> None:
    """The controller stops between the look for the name and sbatch."""
    task = submission()
    programs = alone.folder / f"bin-{task.task_id}"
    programs.mkdir()
    frozen = alone.folder / f"frozen-{task.task_id}"
    (programs / "sbatch").write_text(f'#!/bin/sh\n: >"{frozen}"\nsleep 1\nexec /usr/bin/sbatch "$@"\n')
    (programs / "sbatch").chmod(0o755)
    runner = runner_of(alone, timeout_s=4, slurm_bin=str(programs))
    plain = runner_of(alone)

    def freeze() -> None:
        wait_until(frozen.exists, "sbatch is about to be run")
        alone.freeze_controller()

    freezing = threading.Thread(target=freeze)
    freezing.start()
    try:
        with pytest.raises(ClusterDown, match="sbatch does not answer"):
            runner.submit(task, package(task, runner.config, "sleep 300"))
        freezing.join()
        alone.thaw_controller()
        # What it had been sent may still arrive.
        number = plain.submit(task, package(task, plain.config, "sleep 300"))
        assert alone.jobs_named(task.name) == [number]
        assert plain.find(task) == number
        plain.cancel(known(task, number))
    finally:
        runner.close()
        plain.close()


def test_a_node_that_fails_ends_the_task_that_may_not_be_put_back(alone: SlurmLab) -> None:
    runner = runner_of(alone)
    try:
        one = submit(runner, "exec sleep 300")
        (node,) = seen(runner, one, TaskState.RUNNING).nodes
        alone.fail_node(node)
        told = seen(runner, one, TaskState.NODE_FAILED)
        assert (told.exit_code, told.signal, told.nodes) == (None, None, (node,))
        assert told.reason
    finally:
        runner.close()


def test_a_node_that_fails_has_the_task_begun_anew_where_that_is_asked(alone: SlurmLab) -> None:
    runner = runner_of(alone)
    try:
        one = submit(
            runner,
            'echo "run ${SLURM_RESTART_COUNT:-0}"; [ "${SLURM_RESTART_COUNT:-0}" -ge 1 ] || sleep 300',
            requeue=True,
        )
        (node,) = seen(runner, one, TaskState.RUNNING).nodes
        wait_until(lambda: runner.read_log(one, 0, 100).content, "the first line")
        alone.fail_node(node)
        # It goes back into the queue, or is in the midst of it.
        assert seen(runner, one, TaskState.PENDING).restarts <= 1

        asked_s = [0.0]

        def ended() -> Observation | None:
            (told,) = runner.observe([one])
            if told.state is TaskState.PENDING and time.monotonic() - asked_s[0] > 30:
                # Slurm lets it wait for two minutes, and does not hear of it while it is putting the job back.
                asked_s[0] = time.monotonic()
                with contextlib.suppress(subprocess.CalledProcessError):
                    alone.operate("scontrol", "update", f"jobid={one.cluster_job_id}", "eligibletime=now")
            return told if told.state.is_finished else None

        try:
            told = wait_until(ended, "its end", 250)
        finally:
            # Tests that follow want the nodes for themselves.
            runner.cancel(one)
        # Twice, where the dead node's last sign of life made Slurm give the job to it once more.
        assert (told.state, told.restarts) in ((TaskState.SUCCEEDED, 1), (TaskState.SUCCEEDED, 2))
        assert runner.read_log(one, 0, 100).content == f"run 0\nrun {told.restarts}\n".encode()
    finally:
        runner.close()


def test_a_task_that_another_one_displaces_is_put_back_and_goes_on(alone: SlurmLab) -> None:
    """Preemption by requeue, as the operator's `scontrol requeue` does it."""
    runner = runner_of(alone)
    try:
        one = submit(runner, "exec sleep 300", requeue=True)
        seen(runner, one, TaskState.RUNNING)
        alone.operate("scontrol", "requeue", str(one.cluster_job_id))
        told = seen(runner, one, TaskState.PENDING)
        assert (told.cluster_job_id, told.started_at, told.finished_at) == (one.cluster_job_id, None, None)
        wait_until(lambda: runner.observe([one])[0].restarts == 1, "the restart is counted")
        runner.cancel(one)
    finally:
        runner.close()


def test_nodes_that_take_no_more_jobs_make_the_cluster_degraded(alone: SlurmLab) -> None:
    runner = runner_of(alone)
    try:
        alone.drain_node("n2")
        # It is `draining` for as long as something ends there.
        told = wait_until(lambda: info if "n2 drained" in (info := runner.info()).detail else None, "a drained node")
    finally:
        runner.close()
    assert told.state == "degraded"


# -- the connection --------------------------------------------------------------------------------------------------


def test_a_connection_that_broke_is_opened_anew(beside: SlurmLab, tmp_path: Path) -> None:
    with beside.ssh_proxy(tmp_path) as (proxy, way):
        runner = runner_of(beside, **way)
        try:
            assert runner.info().state in ("up", "degraded")
            proxy.drop()
            with pytest.raises(ClusterDown):
                runner.find(submission())
            proxy.heal()
            assert runner.find(submission()) is None
            # One that went unnoticed is replaced without a word.
            proxy.drop()
            proxy.heal()
            assert runner.find(submission()) is None
        finally:
            runner.close()


def test_a_network_that_delivers_nothing_is_given_up_in_time(beside: SlurmLab, tmp_path: Path) -> None:
    with beside.ssh_proxy(tmp_path) as (proxy, way):
        runner = runner_of(beside, **way, timeout_s=5, connect_timeout_s=2, stall_s=2)
        try:
            assert runner.find(submission()) is None
            proxy.hang()
            with pytest.raises(ClusterDown):
                runner.find(submission())
            assert runner.info().state == "down"
            proxy.heal()
            assert runner.find(submission()) is None
        finally:
            runner.close()


class Cut(Proxy):
    """Ends the connection for good after so many bytes towards the login node."""

    def __init__(self, target_port: int, after_bytes: int) -> None:
        super().__init__(target_port)
        self.left = after_bytes

    async def _pump(self, reader: Any, writer: Any) -> None:
        towards = writer.transport.get_extra_info("peername")[1] == self._target_port
        while data := await reader.read(1024):
            if towards:
                self.left -= len(data)
                if self.left < 0:
                    self._refusing = True
                    return
            writer.write(data)
            await writer.drain()


# A connection takes some 3,000 bytes to be opened, and a small task is sent in some 20,000.
@pytest.mark.parametrize("after_bytes", [500, 2500, 4000, 5000, 7000, 10_000, 14_000, 18_000, 22_000, 26_000, 60_000])
def test_a_connection_that_is_cut_while_it_submits_leaves_at_most_one_job(
    beside: SlurmLab, tmp_path: Path, after_bytes: int
) -> None:
    task = submission()
    config = SlurmSshConfig.model_validate(beside.ssh_section())
    files = package(task, config, "echo ran\n" + "# padding\n" * 1000)
    proxy = Cut(beside.port, after_bytes)
    proxy.start()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(
        Path(beside.settings["SSH_KNOWN_HOSTS"]).read_text().replace(f":{beside.port} ", f":{proxy.port} ")
    )
    through = runner_of(beside, port=proxy.port, known_hosts=str(known_hosts))
    try:
        told = through.submit(task, files)
    except ClusterDown:
        told = None
    finally:
        through.close()
        proxy.close()
    plain = runner_of(beside)
    try:
        found = plain.find(task)
        assert told is None or told == found
        number = plain.submit(task, files)
        assert plain.submit(task, files) == plain.find(task) == number
        assert found is None or found == number
        assert seen(plain, known(task, number), TaskState.SUCCEEDED).cluster_job_id == number
        assert plain.read_log(known(task, number), 0, 100).content == b"ran\n"
    finally:
        plain.close()
    assert beside.jobs_named(task.name) == [number]
    wait_until(lambda: not list(beside.folder.glob(f".new-{task.name}*")), "nothing is left of the cut one")


def test_a_login_node_that_allows_few_sessions_is_waited_for(beside: SlurmLab, tmp_path: Path) -> None:
    with beside.another_sshd(tmp_path, "MaxSessions 2") as way:
        runner = runner_of(beside, **way, channels=8)
        tasks = [submission() for _ in range(16)]
        try:
            with ThreadPoolExecutor(8) as threads:
                assert list(threads.map(runner.find, tasks)) == [None] * 16
        finally:
            runner.close()


def test_an_answer_that_is_lost_is_found_again(beside: SlurmLab, tmp_path: Path) -> None:
    """The job was made, and the connection is cut before its number comes back."""
    task = submission()
    with beside.ssh_proxy(tmp_path) as (proxy, way):
        runner = runner_of(beside, **way)

        def cut() -> None:
            wait_until(lambda: beside.jobs_named(task.name), "the job is made")
            proxy.drop()

        made = threading.Thread(target=cut)
        programs = beside.folder / f"bin-{task.task_id}"
        programs.mkdir()
        (programs / "sbatch").write_text('#!/bin/sh\n/usr/bin/sbatch "$@"\nsleep 2\n')
        (programs / "sbatch").chmod(0o755)
        slow = runner_of(beside, **way, slurm_bin=str(programs))
        try:
            made.start()
            with pytest.raises(ClusterDown):
                slow.submit(task, package(task, slow.config, "sleep 300"))
            made.join()
            proxy.heal()
            number = runner.submit(task, package(task, runner.config, "sleep 300"))
            assert runner.find(task) == number
            assert beside.jobs_named(task.name) == [number]
            runner.cancel(known(task, number))
        finally:
            runner.close()
            slow.close()


def test_files_that_stop_coming_are_an_error_and_not_fewer_files(beside: SlurmLab, tmp_path: Path) -> None:
    with beside.ssh_proxy(tmp_path) as (proxy, way):
        runner = runner_of(beside, **way)
        try:
            one = submit(runner, 'for i in 1 2 3; do head -c 20000000 /dev/zero >"$ATOLL_OUTPUT_DIR/$i"; done')
            seen(runner, one, TaskState.SUCCEEDED)
            files = runner.collect(one)
            next(files)
            proxy.drop()
            with pytest.raises(ClusterDown):
                read_all(files)
        finally:
            runner.close()


# -- who is who ------------------------------------------------------------------------------------------------------


def test_a_host_that_shows_another_key_is_never_connected_to(beside: SlurmLab, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{beside.port} {other}\n")
    runner = runner_of(beside, known_hosts=str(known_hosts))
    task = submission()
    try:
        with pytest.raises(ClusterDown, match="shows a host key that is not in"):
            runner.submit(task, package(task, runner.config, "true"))
    finally:
        runner.close()
    assert not list(beside.folder.glob(f"*{task.name}*"))


@pytest.mark.parametrize("text", [None, "", "# nobody\n"])
def test_without_a_known_host_key_nothing_is_connected_to(beside: SlurmLab, tmp_path: Path, text: str | None) -> None:
    known_hosts = tmp_path / "known_hosts"
    if text is not None:
        known_hosts.write_text(text)
    runner = runner_of(beside, known_hosts=str(known_hosts))
    try:
        with pytest.raises(ClusterDown, match=r"host key that is not in|no file of known hosts"):
            runner.find(submission())
    finally:
        runner.close()


def test_a_key_that_the_cluster_does_not_know_is_told(beside: SlurmLab, monkeypatch: pytest.MonkeyPatch) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    monkeypatch.setenv("OTHER_KEY", other)
    runner = runner_of(beside, key="env:OTHER_KEY")
    try:
        with pytest.raises(ClusterDown, match="does not let hpc in with its key"):
            runner.find(submission())
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("env:NOT_SET", "the variable NOT_SET is not set"),
        ("file:/nowhere/key", "cannot be read"),
        ("file:/etc/hostname", "cannot be used"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_without_its_text(beside: SlurmLab, key: str, words: str) -> None:
    runner = runner_of(beside, key=key)
    try:
        with pytest.raises(ClusterDown, match=words) as caught:
            runner.find(submission())
    finally:
        runner.close()
    assert Path("/etc/hostname").read_text().strip() not in caught.value.detail.removeprefix("no key")


def test_a_key_with_a_passphrase_is_opened_with_it(
    beside: SlurmLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "key"
    plain = asyncssh.read_private_key(beside.settings["SSH_KEY"])
    locked.write_bytes(plain.export_private_key("pkcs8-pem", passphrase="open sesame"))  # noqa: S106
    monkeypatch.setenv("PHRASE", "open sesame")
    runner = runner_of(beside, key=f"file:{locked}", passphrase="env:PHRASE")  # noqa: S106
    try:
        assert runner.find(submission()) is None
    finally:
        runner.close()
    wrong = runner_of(beside, key=f"file:{locked}")
    try:
        with pytest.raises(ClusterDown, match="cannot be used"):
            wrong.find(submission())
    finally:
        wrong.close()


def test_a_host_that_is_not_there_is_told(beside: SlurmLab) -> None:
    runner = runner_of(beside, port=1)
    try:
        with pytest.raises(ClusterDown, match=r"cannot connect to hpc@127\.0\.0\.1:1"):
            runner.find(submission())
        told = runner.info()
    finally:
        runner.close()
    assert told.state == "down"
    assert "cannot connect" in told.detail


def test_owners_have_connections_of_their_own(beside: SlurmLab) -> None:
    own = {"user": beside.user, "key": f"file:{beside.settings['SSH_KEY']}"}
    runner = runner_of(beside, user="nobody-here", identities={"oid:ana": own})
    mine = submission(owner="oid:ana")
    try:
        assert runner.find(mine) is None
        with pytest.raises(ClusterDown, match="does not let nobody-here in"):
            runner.find(submission(owner="oid:bob"))
    finally:
        runner.close()


def test_a_cluster_that_cannot_be_asked_refuses_nothing_that_it_might_take(lab: SlurmLab) -> None:
    runner = runner_of(lab, port=1)
    try:
        runner.check(submission(partition="gpu", time_limit_s=86400).spec)
    finally:
        runner.close()


def test_a_process_that_was_forked_off_has_a_loop_of_its_own() -> None:
    code = (
        "import os, sys\n"
        "from common.submission.runners.slurm.ssh import loop\n"
        "async def one() -> int:\n"
        "    return 1\n"
        "assert loop.wait_for(one()) == 1\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if loop.wait_for(one()) == 1 else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, timeout=60)
    assert done.returncode == 0
