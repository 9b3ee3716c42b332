"""The clusters that the conformance suite runs over: what leads to each, and what cannot be asked of it."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.storage.directory import DirectoryShare
from common.submission.records import Known, Observation, Package, Submission
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.runner import AwsBatchRunner
from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.azureml.runner import AzureMlRunner
from common.submission.runners.base import Runner
from common.submission.runners.fake import FakeCluster, FakeRunner
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.runner import KubernetesRunner
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.runner import LocalRunner
from common.submission.runners.slurm.ssh.config import SlurmSshConfig
from common.submission.runners.slurm.ssh.runner import SlurmSshRunner
from common.submission.states import TaskState
from tests.support import slurm_rest
from tests.support.azureml_standin import COMPUTES, GROUP, SUBSCRIPTION, TOKEN, WORKSPACE, AzureMlStandIn
from tests.support.azurite_blobs import ACCOUNT, CONTAINER, KEY, AzuriteBlobs
from tests.support.k8s_standin import TOKEN as k8s_token  # noqa: N811 - one of two of the name
from tests.support.k8s_standin import k8s_standin
from tests.support.moto_batch import BUCKET, QUEUE, REGION, MotoBatch
from tests.support.servers import free_port
from tests.support.slurm_lab import slurm_lab

RAN = 'echo ran >>"$ATOLL_OUTPUT_DIR/runs"'
SLEEPS = "echo begun; sleep 600"
FAILS = "exit 3"
# What is asked of a program's log and files, all in one: each run on a real cluster takes seconds.
WRITES = """\
echo "hello $TEXT"
grep -o '"n": 2' "$ATOLL_PARAMS"
mkdir -p "$ATOLL_OUTPUT_DIR/a folder"
printf 5 >"$ATOLL_OUTPUT_DIR/a folder/x y"
ln -s /etc/passwd "$ATOLL_OUTPUT_DIR/link"
"""
TEXT = "a 'b' \"c\" $HOME `id` \\ *"
WRITES_LOG = f'hello {TEXT}\n"n": 2\n'.encode()
WRITES_FILES = {"task.log": WRITES_LOG, "output/a folder/x y": b"5"}


@dataclass
class Site:
    """One cluster.

    Parameters
    ----------
    down : a runner for the same cluster, which nobody answers.
    refused : what it refuses when it is submitted, as (runner, fields of a task); None where it refuses nothing that
        `check` does not refuse before.
    runs_arrays : whether elements of arrays are really run.
    """

    runner: Runner
    down: Runner
    refused: tuple[Runner, Mapping[str, Any]] | None
    runs_arrays: bool = True


class PlayedRunner(FakeRunner):
    """A fake whose jobs go on by one step each time they are observed, to what their programs would have done."""

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        seen = super().observe(known)
        for one in seen:
            self._play(one)
        return seen

    def submit(self, task: Submission, package: Package) -> str:
        self.cluster.refuses_twins = True
        return super().submit(task, package)

    def _play(self, seen: Observation) -> None:
        program = self.cluster.folders[seen.name]["program/main.sh"].decode()
        if seen.state is TaskState.PENDING:
            self.cluster.start(seen.name)
        elif seen.state is TaskState.RUNNING and program == FAILS:
            self.cluster.finish(seen.name, TaskState.FAILED, exit_code=3)
        elif seen.state is TaskState.RUNNING and program != SLEEPS:
            files = WRITES_FILES if program == WRITES else {"task.log": b"", "output/runs": b"ran\n"}
            self.cluster.finish(seen.name, files=files)


@contextlib.contextmanager
def fake(folder: Path) -> Iterator[Site]:
    runner = PlayedRunner()
    down = FakeRunner(FakeCluster())
    down.cluster.is_down = True
    yield Site(runner, down, (runner, {"partition": "nowhere"}), runs_arrays=False)


@contextlib.contextmanager
def local(folder: Path) -> Iterator[Site]:
    config = LocalConfig(name="local", folder=str(folder / "tasks"), slots=2, grace_s=1)
    (folder / "file").touch()
    down = config.model_copy(update={"folder": str(folder / "file" / "tasks")})
    yield Site(LocalRunner(config), LocalRunner(down), None)


@contextlib.contextmanager
def slurm_by_ssh(folder: Path) -> Iterator[Site]:
    with slurm_lab() as lab, lab.shared():
        config = SlurmSshConfig.model_validate(lab.ssh_section(timeout_s=20))
        runner = SlurmSshRunner(config)
        down = SlurmSshRunner(config.model_copy(update={"port": free_port(), "timeout_s": 2}))
        yield Site(runner, down, (runner, {"partition": "nowhere"}))
        runner.close()
        down.close()


@contextlib.contextmanager
def slurm_by_rest(folder: Path) -> Iterator[Site]:
    with (
        slurm_lab() as lab,
        lab.shared(),
        slurm_rest.runner(lab) as runner,
        slurm_rest.runner(lab, url=f"http://127.0.0.1:{free_port()}", timeout_s=2) as down,
    ):
        yield Site(runner, down, (runner, {"partition": "nowhere"}))


def kubernetes_standin(folder: Path) -> contextlib.AbstractContextManager[Site]:
    """Files travel within the Job."""
    return _kubernetes(folder, None)


def kubernetes_standin_share(folder: Path) -> contextlib.AbstractContextManager[Site]:
    """Files lie on the share, which the stand-in's processes see where Atoll does."""
    return _kubernetes(folder, folder / "share")


@contextlib.contextmanager
def _kubernetes(folder: Path, share: Path | None) -> Iterator[Site]:
    with k8s_standin() as server:
        server.add_namespace("atoll")
        (folder / "token").write_text(k8s_token)
        given = {"endpoint": server.endpoint, "ca_file": str(server.ca_file), "api_key": f"file:{folder / 'token'}"}
        files = {} if share is None else {"claim": "atoll-share", "share": str(share)}
        config = KubernetesConfig.model_validate(
            {**given, **files, "name": "lab", "namespace": "atoll", "default_image": "python:3.11-slim"}
        )
        down = config.model_copy(update={"endpoint": f"https://127.0.0.1:{free_port()}", "timeout_s": 2})
        nowhere = config.model_copy(update={"namespace": "nowhere"})
        runner, down_runner, elsewhere = (
            KubernetesRunner(one, share=None if share is None else DirectoryShare(share))
            for one in (config, down, nowhere)
        )
        # The stand-in knows Jobs of one pod.
        yield Site(runner, down_runner, (elsewhere, {}), runs_arrays=False)
        elsewhere.close()


@contextlib.contextmanager
def aws_moto(folder: Path) -> Iterator[Site]:
    server = MotoBatch(folder / "moto")
    (folder / "secret").write_text("testing")
    config = AwsBatchConfig(
        name="aws",
        region=REGION,
        bucket=BUCKET,
        endpoint=server.url,
        access_key=f"file:{folder / 'secret'}",
        secret_key=f"file:{folder / 'secret'}",
        default_partition=QUEUE,
        default_image="python:3.11",
    )
    down = config.model_copy(update={"endpoint": f"http://127.0.0.1:{free_port()}", "timeout_s": 2})
    runner = AwsBatchRunner(config)
    yield Site(runner, AwsBatchRunner(down), (runner, {"partition": "nowhere"}))
    server.stop()


@contextlib.contextmanager
def azureml_standin(folder: Path) -> Iterator[Site]:
    blobs = AzuriteBlobs()
    (folder / "token").write_text(TOKEN)
    (folder / "key").write_text(KEY)
    with AzureMlStandIn(folder) as server:
        config = AzureMlConfig(
            name="azure",
            subscription=SUBSCRIPTION,
            resource_group=GROUP,
            workspace=WORKSPACE,
            endpoint=server.url,
            token=f"file:{folder / 'token'}",
            storage_account=ACCOUNT,
            storage_key=f"file:{folder / 'key'}",
            container=CONTAINER,
            blob_endpoint=blobs.url,
            default_partition=COMPUTES[0],
            default_image="sklearn:3",
            timeout_s=5,
        )
        down = config.model_copy(update={"endpoint": f"http://127.0.0.1:{free_port()}", "timeout_s": 2})
        runner = AzureMlRunner(config)
        yield Site(runner, AzureMlRunner(down), (runner, {"partition": "nowhere"}))
    blobs.close()


SITES: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Site]]] = {
    "fake": fake,
    "local": local,
    "slurm-ssh": slurm_by_ssh,
    "slurm-rest": slurm_by_rest,
    "kubernetes-standin": kubernetes_standin,
    "kubernetes-standin-share": kubernetes_standin_share,
    "aws-moto": aws_moto,
    "azureml-standin": azureml_standin,
}


@contextlib.contextmanager
def open_site(name: str) -> Iterator[Site]:
    """A cluster, with a folder of its own while it is open."""
    folder = Path(tempfile.mkdtemp(prefix="atoll-site-"))
    try:
        with SITES[name](folder) as site:
            yield site
            site.runner.close()
            site.down.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
