import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(chain), "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return chain, key


def test_https_is_served_with_a_certificate_of_ones_own(
    start_server: Callable[..., Server], certificate: tuple[Path, Path]
) -> None:
    chain, key = certificate
    trusted = ssl.create_default_context(cafile=str(chain))
    server = start_server(
        "--ssl-certfile", str(chain), "--ssl-keyfile", str(key), env={"SERVICE_MODEL": "sample"}, verify=trusted
    )
    assert server.url.startswith("https://")
    assert server.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{server.url}/", trust_env=False)
