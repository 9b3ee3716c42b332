"""Secrets that do not fit where they are sent: libraries quote them in their errors, which callers and logs see."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.submission.config import SecretMissing, read_secret, read_token
from common.submission.errors import ClusterDown
from common.submission.runners.aws.failures import translate
from common.submission.runners.azureml.client import translate as translate_azure
from common.submission.runners.base import Runner
from tests.common.submission.runners import tasks

# Of two lines, of no ASCII, and of no text at all.
SECRETS = [
    b"first-secret\nsecond-secret",
    "s\N{LATIN SMALL LETTER U WITH DIAERESIS}per-secret".encode(),
    b"\xff-secret",
]


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody listens there, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def kubernetes(secret: str, port: int) -> Runner:
    from common.submission.runners.kubernetes.config import KubernetesConfig
    from common.submission.runners.kubernetes.runner import KubernetesRunner

    given = {"endpoint": f"http://127.0.0.1:{port}", "api_key": secret, "default_image": "x", "timeout_s": 1}
    return KubernetesRunner(KubernetesConfig.model_validate({"name": "k", "namespace": "n", **given}))


def slurm_rest(secret: str, port: int) -> Runner:
    from common.submission.runners.slurm.rest.config import SlurmRestConfig
    from common.submission.runners.slurm.rest.runner import SlurmRestRunner

    given = {"url": f"http://127.0.0.1:{port}", "user": "hpc", "token": secret, "folder": "/x/atoll", "timeout_s": 1}
    return SlurmRestRunner(SlurmRestConfig.model_validate({"name": "s", "kind": "slurm-rest", **given}))


def slurm_ssh(secret: str, port: int) -> Runner:
    from common.submission.runners.slurm.ssh.config import SlurmSshConfig
    from common.submission.runners.slurm.ssh.runner import SlurmSshRunner

    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "hpc", "key": secret, "folder": "/x/atoll"}
    return SlurmSshRunner(SlurmSshConfig.model_validate({"name": "s", "kind": "slurm-ssh", **given}))


def aws(secret: str, port: int) -> Runner:
    from common.submission.runners.aws.config import AwsBatchConfig
    from common.submission.runners.aws.runner import AwsBatchRunner

    given = {"region": "eu", "bucket": "files", "access_key": secret, "secret_key": secret, "timeout_s": 1}
    where = {"endpoint": f"http://127.0.0.1:{port}", "default_partition": "cpu"}
    return AwsBatchRunner(AwsBatchConfig.model_validate({"name": "a", **given, **where}))


def azure(secret: str, port: int) -> Runner:
    from common.submission.runners.azureml.config import AzureMlConfig
    from common.submission.runners.azureml.runner import AzureMlRunner

    where = f"http://127.0.0.1:{port}"
    given = {"subscription": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "resource_group": "g", "workspace": "w"}
    files = {"storage_account": "account", "storage_key": secret, "container": "files", "blob_endpoint": where}
    more = {"token": secret, "endpoint": where, "timeout_s": 1}
    return AzureMlRunner(AzureMlConfig.model_validate({"name": "a", **given, **files, **more}))


@pytest.mark.parametrize("make", [kubernetes, slurm_rest, slurm_ssh, aws, azure], ids=lambda make: make.__name__)
@pytest.mark.parametrize("secret", SECRETS, ids=["lines", "letters", "bytes"])
def test_a_secret_that_does_not_fit_is_not_shown(
    make: Callable[[str, int], Runner], secret: bytes, port: int, tmp_path: Path
) -> None:
    (tmp_path / "held").write_bytes(secret)
    runner = make(f"file:{tmp_path / 'held'}", port)
    info = runner.info()
    assert info.state == "down"
    assert info.detail
    with pytest.raises(ClusterDown) as down:
        runner.observe([tasks.known(tasks.submission(runner), "1")])
    for text in (info.detail, down.value.detail, repr(runner.config)):
        assert "-secret" not in text
        assert "secret-" not in text
    runner.close()


@pytest.mark.parametrize("secret", SECRETS, ids=["lines", "letters", "bytes"])
def test_what_is_no_token_is_said_to_be_none(secret: bytes, tmp_path: Path) -> None:
    (tmp_path / "held").write_bytes(secret)
    with pytest.raises(SecretMissing) as missing:
        read_token(f"file:{tmp_path / 'held'}")
    assert "-secret" not in str(missing.value)


def test_a_secret_of_many_lines_is_read_where_it_may_have_them(tmp_path: Path) -> None:
    (tmp_path / "held").write_text("-----BEGIN KEY-----\nabc\n")
    assert read_secret(f"file:{tmp_path / 'held'}") == "-----BEGIN KEY-----\nabc"


@pytest.mark.parametrize(
    "address",
    [
        "https://b.s3.eu.amazonaws.com/k/manifest?X-Amz-Algorithm=AWS4&X-Amz-Signature=abcdef",
        "https://a.blob.core.windows.net/c/k?sv=2021&sr=b&sig=abcdef%3D",
    ],
)
def test_a_signed_address_that_a_service_quotes_is_not_shown(address: str) -> None:
    said = f'ClientException: "{address}" is too long'
    for error in (
        translate("ClientException", said, 400, "SubmitJob", asks=True),
        translate_azure(400, ("UserError", said), "making the job", asks=True),
    ):
        assert "abcdef" not in error.detail
        assert "<signed address>" in error.detail
