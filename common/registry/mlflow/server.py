"""An MLflow tracking server: model directories are registered there as versions, and fetched from there.

Source: MLflow's documentation of its REST interface, version 2.0. Files go through the server (`--serve-artifacts`, its
default since MLflow 2), so that nobody here needs its storage's credentials.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from common.errors import Conflict, DependencyFailed, Invalid, NotFound
from common.registry.gate import figures
from common.registry.versions import Version

EXPERIMENT = "atoll"
_TIMEOUT_S = 60.0
_PROXIED = "mlflow-artifacts:"
_MAX_FILES = 1000
_MAX_BYTES = 20 << 30
_CHUNK_BYTES = 1 << 20
# As many as one call takes.
_MAX_METRICS = 1000


class TrackingServer:
    """Calls to one server. Use it in `with`.

    Parameters
    ----------
    url : its address.
    user, password, token : as MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN.
    transport : another way to the server than the network, for tests.

    Every method raises `DependencyFailed` where the server does not answer, `NotFound` and `Invalid` where it refuses.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        auth = (user, password or "") if user else None
        self._http = httpx.Client(
            base_url=self.url, headers=headers, auth=auth, timeout=_TIMEOUT_S, transport=transport, trust_env=False
        )

    def __enter__(self) -> "TrackingServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def register(self, name: str, version: Version, folder: Path, aliases: list[str]) -> str:
        """Put a model directory on the server as a new version of the model `name`; its number there.

        A run with the metrics stands behind it, so that versions can be compared there.

        Parameters
        ----------
        aliases : pointed to it there.
        """
        run = self._call(
            "POST",
            "runs/create",
            {
                "experiment_id": self._experiment(),
                "run_name": version.ref,
                "start_time": int(version.created_at.timestamp() * 1000),
                "tags": [{"key": "atoll.version", "value": version.ref}],
            },
        )["run"]["info"]
        run_id = run["run_id"]
        self._log(run_id, version)
        self._upload(run["artifact_uri"], folder)
        self._call("POST", "runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": _now_ms()})
        # It may have versions already.
        with contextlib.suppress(Conflict):
            self._call("POST", "registered-models/create", {"name": name})
        tags = version.tags | {"atoll.version": version.ref}
        made = self._call(
            "POST",
            "model-versions/create",
            {
                "name": name,
                "source": f"{run['artifact_uri']}/model",
                "run_id": run_id,
                "description": version.description,
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
            },
        )["model_version"]
        for alias in aliases:
            told = {"name": name, "alias": alias, "version": made["version"]}
            self._call("POST", "registered-models/alias", told)
        return str(made["version"])

    def fetch(self, reference: str, into: Path) -> dict[str, Any]:
        """Fetch the directory of `models:/name/3` or `models:/name@alias`; what the server tells of the version."""
        name, number = self._resolved(reference)
        query = {"name": name, "version": number}
        told: dict[str, Any] = self._call("GET", "model-versions/get", query)["model_version"]
        place = self._call("GET", "model-versions/get-download-uri", query)["artifact_uri"]
        root = _proxied(place)
        left = _MAX_BYTES
        for count, path in enumerate(self._walk(root, PurePosixPath())):
            if count >= _MAX_FILES:
                raise Invalid(f"the model has more than {_MAX_FILES} files")
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= self._download(f"{root}/{path}", target, left)
        told["metrics"] = self._metrics(told.get("run_id"))
        return told

    def _resolved(self, reference: str) -> tuple[str, str]:
        scheme, _, rest = reference.partition(":/")
        name, at, alias = rest.rpartition("@")
        if scheme == "models" and at and name:
            found = self._call("GET", "registered-models/alias", {"name": name, "alias": alias})
            return name, str(found["model_version"]["version"])
        name, slash, number = rest.rpartition("/")
        if scheme != "models" or not slash or not name or not number.isdecimal():
            raise Invalid(f"{reference[:80]!r} names no version; give models:/name/3 or models:/name@alias")
        return name, number

    def _experiment(self) -> str:
        try:
            found = self._call("GET", "experiments/get-by-name", {"experiment_name": EXPERIMENT})
            return str(found["experiment"]["experiment_id"])
        except NotFound:
            return str(self._call("POST", "experiments/create", {"name": EXPERIMENT})["experiment_id"])

    def _log(self, run_id: str, version: Version) -> None:
        at = int(version.created_at.timestamp() * 1000)
        measured = list(figures(version.metrics).items())[:_MAX_METRICS]
        metrics = [{"key": key, "value": value, "timestamp": at, "step": 0} for key, value in measured]
        facts = {"author": version.author, "code_version": version.code_version, "data_hash": version.data_hash}
        params = [{"key": f"atoll.{key}", "value": value} for key, value in facts.items() if value]
        self._call("POST", "runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params})

    def _metrics(self, run_id: str | None) -> dict[str, float]:
        if not run_id:
            return {}
        try:
            data = self._call("GET", "runs/get", {"run_id": run_id})["run"].get("data", {})
        except NotFound:
            # The run was deleted; the version is as good without.
            return {}
        return {metric["key"]: metric["value"] for metric in data.get("metrics", [])}

    def _upload(self, artifact_uri: str, folder: Path) -> None:
        root = _proxied(artifact_uri)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = f"{root}/model/{path.relative_to(folder).as_posix()}"
                with path.open("rb") as file:
                    self._checked(self._send("PUT", _artefact_place(place), content=_chunks(file)))

    def _walk(self, root: str, folder: PurePosixPath) -> Iterator[PurePosixPath]:
        place = root if folder == PurePosixPath() else f"{root}/{folder}"
        answer = self._checked(self._send("GET", "/api/2.0/mlflow-artifacts/artifacts", params={"path": place}))
        for entry in answer.json().get("files", []):
            # Names are the server's; as paths of this machine they must not lead anywhere else.
            name = PurePosixPath(entry["path"]).name
            if name in ("", ".", "..") or "\\" in name or "\0" in name:
                raise Invalid(f"the model has a file {entry['path'][:80]!r}, which is no plain name")
            if entry.get("is_dir"):
                yield from self._walk(root, folder / name)
            else:
                yield folder / name

    def _download(self, place: str, target: Path, max_bytes: int) -> int:
        size_bytes = 0
        try:
            with self._http.stream("GET", _artefact_place(place)) as answer, target.open("wb") as file:
                if answer.is_error:
                    answer.read()
                self._checked(answer)
                for chunk in answer.iter_bytes(_CHUNK_BYTES):
                    size_bytes += len(chunk)
                    if size_bytes > max_bytes:
                        raise Invalid(f"the model is larger than {_MAX_BYTES} bytes")
                    file.write(chunk)
        except httpx.HTTPError as exc:
            raise self._down(exc) from exc
        return size_bytes

    def _call(self, method: str, path: str, told: Mapping[str, Any]) -> Any:
        given: dict[str, Any] = {"params": told} if method == "GET" else {"json": told}
        answer = self._checked(self._send(method, f"/api/2.0/mlflow/{path}", **given))
        try:
            return answer.json()
        except ValueError:
            raise DependencyFailed(f"{self.url} answers no JSON; is it an MLflow tracking server?") from None

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.HTTPError as exc:
            raise self._down(exc) from exc

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            told = answer.json()
            code, message = told.get("error_code", ""), str(told.get("message", ""))[:300]
        except (ValueError, AttributeError):
            code, message = "", answer.text[:100]
        said = f"the tracking server answers {answer.status_code}: {message or answer.reason_phrase}"
        if code == "RESOURCE_ALREADY_EXISTS":
            raise Conflict(said)
        if answer.status_code == 404:
            raise NotFound(said)
        if answer.status_code < 500:
            raise Invalid(said)
        raise DependencyFailed(said)

    def _down(self, exc: httpx.HTTPError) -> DependencyFailed:
        return DependencyFailed(f"no answer from the tracking server {self.url}: {exc or type(exc).__name__}")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _proxied(uri: str) -> str:
    """The path of files that the server hands out."""
    if not uri.startswith(_PROXIED):
        raise Invalid(
            f"the tracking server keeps its files at {uri[:80]!r}, where only its clients reach them; "
            "start it with --serve-artifacts"
        )
    rest = uri.removeprefix(_PROXIED)
    # `mlflow-artifacts://host/path` names a host, `mlflow-artifacts:/path` none.
    return rest.removeprefix("//").partition("/")[2] if rest.startswith("//") else rest.strip("/")


def _artefact_place(path: str) -> str:
    return f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"


def _now_ms() -> int:
    return int(time.time() * 1000)
