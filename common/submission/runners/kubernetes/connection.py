"""The connection to one API server: objects of one kind as plain dicts, pods and their logs.

Everything goes through the official client's `CustomObjectsApi`, which takes any group: what comes back is what the
server sent, and a field that this client's models do not know yet is no error.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from common.submission.config import SecretMissing
from common.submission.errors import ClusterDown
from common.submission.runners.kubernetes.access import client_of
from common.submission.runners.kubernetes.config import KubernetesBase
from common.submission.runners.kubernetes.refusals import error_of, status_of

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]
T = TypeVar("T")

# Objects in one answer of a list.
_PAGE = 500
_CHUNK_BYTES = 64 << 10
_CONNECT_S = 5.0


@dataclass(frozen=True)
class Resource:
    """A kind of objects."""

    group: str
    version: str
    plural: str


JOBS = Resource("batch", "v1", "jobs")
APPLICATIONS = Resource("sparkoperator.k8s.io", "v1beta2", "sparkapplications")


class Connection:
    """Made on first use and kept; every call has a time-out, and is tried once more only if it could not connect."""

    def __init__(self, config: KubernetesBase) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._namespace = config.namespace

    @property
    def namespace(self) -> str:
        """The configured one, else that of the context or of the pod, else `default`."""
        if self._namespace is None:
            self._api()
        return self._namespace or "default"

    # ---- objects

    def create(self, resource: Resource, manifest: Manifest) -> Manifest | None:
        """Create an object; None where one of that name is there already. Unknown fields are refused.

        Raises
        ------
        ClusterDown
        ClusterRefused
        """

        def call(api: Any) -> Any:
            return api.create_namespaced_custom_object(
                resource.group,
                resource.version,
                self.namespace,
                resource.plural,
                manifest,
                field_validation="Strict",
                _request_timeout=self._timeout,
            )

        answer: Manifest | None = self._ask(call, submitting=True, unless={"AlreadyExists"})
        return answer

    def get(self, resource: Resource, name: str) -> Manifest | None:
        """An object; None if there is none."""

        def call(api: Any) -> Any:
            return api.get_namespaced_custom_object(
                resource.group,
                resource.version,
                self.namespace,
                resource.plural,
                name,
                _request_timeout=self._timeout,
            )

        answer: Manifest | None = self._ask(call, unless={"NotFound"})
        return answer

    def delete(self, resource: Resource, name: str) -> None:
        """Delete an object and what belongs to it; none is fine."""

        def call(api: Any) -> Any:
            return api.delete_namespaced_custom_object(
                resource.group,
                resource.version,
                self.namespace,
                resource.plural,
                name,
                propagation_policy="Background",
                _request_timeout=self._timeout,
            )

        self._ask(call, unless={"NotFound"})

    def all_of(self, resource: Resource, selector: str) -> list[Manifest]:
        """All objects that have the labels."""

        def page(token: str | None) -> Callable[[Any], Any]:
            return lambda api: api.list_namespaced_custom_object(
                resource.group,
                resource.version,
                self.namespace,
                resource.plural,
                label_selector=selector,
                limit=_PAGE,
                _continue=token,
                _request_timeout=self._timeout,
            )

        return self._pages(page)

    # ---- pods

    def pods(self, selector: str, fields: str | None = None) -> list[Manifest]:
        """All pods that have the labels."""
        from kubernetes import client

        def page(token: str | None) -> Callable[[Any], Any]:
            def call(api: Any) -> Any:
                response: Any = client.CoreV1Api(api.api_client).list_namespaced_pod(
                    self.namespace,
                    label_selector=selector or None,
                    field_selector=fields,
                    limit=_PAGE,
                    _continue=token,
                    _request_timeout=self._timeout,
                    _preload_content=False,
                )
                return json.loads(response.data)

            return call

        return self._pages(page)

    def log(self, pod: str, container: str, limit: int) -> Iterator[bytes]:
        """The beginning of a pod's log, in parts; nothing where the pod is gone or has not begun.

        Parameters
        ----------
        limit : bytes, about; a server may send more.
        """
        from kubernetes import client

        def call(api: Any) -> Any:
            return client.CoreV1Api(api.api_client).read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                limit_bytes=limit,
                _request_timeout=self._timeout,
                _preload_content=False,
            )

        # 400: the container has not been made yet, or its log is gone.
        response = self._ask(call, unless={"NotFound", "BadRequest"})
        if response is None:
            return
        try:
            with _as_down(self._config):
                yield from response.stream(_CHUNK_BYTES)
        finally:
            response.release_conn()

    def version(self) -> str:
        """The server's own, e.g. `v1.32.4`."""
        from kubernetes import client

        def call(api: Any) -> Any:
            response: Any = client.VersionApi(api.api_client).get_code(
                _request_timeout=self._timeout, _preload_content=False
            )
            return json.loads(response.data)

        return str((self._ask(call) or {}).get("gitVersion", ""))

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.rest_client.pool_manager.clear()
            self._client = None

    # ---- calls

    @property
    def _timeout(self) -> tuple[float, float]:
        return (min(_CONNECT_S, self._config.timeout_s), self._config.timeout_s)

    def _pages(self, page: Callable[[str | None], Callable[[Any], Any]]) -> list[Manifest]:
        items: list[Manifest] = []
        token: str | None = None
        begun_anew = False
        while True:
            answer = self._ask(page(token), unless={"Expired", "Gone"} if token and not begun_anew else set())
            if answer is None:
                # The pages were not asked for quickly enough: from the start, once.
                items, token, begun_anew = [], None, True
                continue
            items += answer.get("items") or []
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return items

    def _ask(
        self, call: Callable[[Any], T], *, submitting: bool = False, unless: set[str] | frozenset[str] = frozenset()
    ) -> T | None:
        """What the server answers; None where it refuses for one of the reasons in `unless`."""
        api = self._api()
        from kubernetes.client import ApiException

        with _as_down(self._config):
            try:
                return call(api)
            except ApiException as exc:
                if not exc.status:
                    raise ClusterDown(f"{self._config.name} does not answer: {exc.reason}") from None
                reason = str(status_of(exc.body).get("reason", ""))
                if reason in unless:
                    return None
                raise error_of(exc.status, exc.body, dict(exc.headers or {}), submitting=submitting) from None

    def _api(self) -> Any:
        with self._lock:
            if self._client is None:
                with _as_down(self._config):
                    self._client, found = client_of(self._config)
                self._namespace = self._namespace or found
            client = self._client
        from kubernetes.client import CustomObjectsApi

        return CustomObjectsApi(client)


@contextlib.contextmanager
def _as_down(config: KubernetesBase) -> Iterator[None]:
    """What goes wrong on the way, as `ClusterDown`."""
    import urllib3

    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError, SecretMissing, ValueError) as exc:
        raise ClusterDown(f"{config.name} does not answer: {str(exc)[:300] or type(exc).__name__}") from exc
