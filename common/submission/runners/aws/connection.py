"""Clients of the services, made on first use and kept; they may be used from any thread."""

import threading
from typing import Any

from common.submission.config import SecretMissing, read_token
from common.submission.errors import ClusterDown
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.failures import reporting


class Connection:
    """The services of one account and region. boto3 is imported with the first call."""

    def __init__(self, config: AwsBatchConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._secrets: tuple[str | None, ...] = ()

    @property
    def batch(self) -> Any:
        # Twice asked is twice submitted: the caller looks before it asks again.
        return self._client("batch", attempts=1)

    @property
    def s3(self) -> Any:
        return self._client("s3", attempts=3)

    @property
    def logs(self) -> Any:
        return self._client("logs", attempts=1)

    def close(self) -> None:
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _client(self, service: str, attempts: int) -> Any:
        config = self._config
        try:
            secrets = tuple(
                None if reference is None else read_token(reference)
                for reference in (config.access_key, config.secret_key, config.session_token)
            )
        except SecretMissing as exc:
            raise ClusterDown(f"a secret of this cluster is missing: {exc}") from None
        with self._lock:
            if secrets != self._secrets:
                # Renewed: clients keep what they were made with.
                self._clients, self._secrets = {}, secrets
            if service not in self._clients:
                with reporting(f"connecting to {service}"):
                    self._clients[service] = self._make(service, attempts, secrets)
            return self._clients[service]

    def _make(self, service: str, attempts: int, secrets: tuple[str | None, ...]) -> Any:
        import boto3
        from botocore.config import Config

        config = self._config
        session = boto3.session.Session(
            profile_name=config.profile,
            region_name=config.region,
            aws_access_key_id=secrets[0],
            aws_secret_access_key=secrets[1],
            aws_session_token=secrets[2],
        )
        options = Config(
            connect_timeout=min(10.0, config.timeout_s),
            read_timeout=config.timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"} if config.endpoint else None,
            max_pool_connections=20,
        )
        return session.client(service, endpoint_url=config.endpoint, config=options)
