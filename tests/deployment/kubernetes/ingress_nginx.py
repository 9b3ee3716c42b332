"""A real nginx that sends requests where the rules of an Ingress say.

Its configuration is made here, as ingress-nginx's documentation says that its own is: `Prefix` is a path itself and
what lies below it, part by part, the longest one wins. The controller itself needs a cluster and does not run.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tests.deployment.kubernetes.manifests import Json
from tests.support.backends import missing
from tests.support.servers import free_port, wait_for

_ANNOTATION = "nginx.ingress.kubernetes.io/"
# Annotations and what they set; the times are in seconds.
_DIRECTIVES = {
    "proxy-body-size": "client_max_body_size {};",
    "proxy-request-buffering": "proxy_request_buffering {};",
    "proxy-read-timeout": "proxy_read_timeout {}s;",
    "proxy-send-timeout": "proxy_send_timeout {}s;",
    "proxy-next-upstream": "proxy_next_upstream {};",
}
_CONF = """
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{upstreams}
    server {{
        listen 127.0.0.1:{port};
        location = /nginx-health {{ return 204; }}
{settings}
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
{locations}
    }}
}}
"""


def configuration(ingress: Json, addresses: Mapping[tuple[str, int], str], folder: Path, port: int) -> str:
    """The text of nginx.conf.

    Parameters
    ----------
    addresses : where the port of a service is to be found here, `127.0.0.1:1234`.
    """
    annotations = ingress["metadata"].get("annotations", {})
    ours = {name.removeprefix(_ANNOTATION): value for name, value in annotations.items() if _ANNOTATION in name}
    settings = [_DIRECTIVES[name].format(value) for name, value in ours.items()]
    (rule,) = ingress["spec"]["rules"]
    locations = []
    for path in rule["http"]["paths"]:
        assert path["pathType"] == "Prefix", path
        service = path["backend"]["service"]
        target = f"{service['name']}-{service['port']['number']}"
        # Which service it was, for whoever asks.
        body = f"{{ proxy_pass http://{target}; add_header X-Service {service['name']} always; }}"
        root = path["path"].rstrip("/")
        locations += [f"location {root}/ {body}", *([f"location = {root} {body}"] if root else [])]
    upstreams = [f"upstream {name}-{number} {{ server {address}; }}" for (name, number), address in addresses.items()]
    indent = "\n        "
    return _CONF.format(
        folder=folder,
        port=port,
        upstreams=indent.join(["", *upstreams]),
        settings=indent.join(["", *settings]),
        locations=indent.join(["", *locations]),
    )


@contextlib.contextmanager
def ingress_nginx(ingress: Json, addresses: Mapping[tuple[str, int], str]) -> Iterator[httpx.Client]:
    """Run one until the block ends; a client of it."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        missing("nginx is not installed (Debian: nginx-light)")
    # As root, its workers are nobody, who may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="atoll-ingress-"))
    folder.chmod(0o755)
    port, log = free_port(), folder / "log"
    (folder / "nginx.conf").write_text(configuration(ingress, addresses, folder, port), encoding="utf-8")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            wait_for(lambda: _is_there(client), "nginx", lambda: None if process.poll() is None else log.read_text())
            yield client
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _is_there(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/nginx-health").status_code == 204
    return False
