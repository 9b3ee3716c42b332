from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from common.errors import SettingsError
from common.settings import AREAS, HttpSettings, PluginSettings, Schedule, ServingSettings, Settings, get_settings

SECRET = "whsec_" + "QXRvbGw5" * 4

READ: list[tuple[str, str, str, Any]] = [
    ("HOST", "0.0.0.0", "http.host", "0.0.0.0"),  # noqa: S104 - only read, never bound
    ("PORT", "0", "http.port", 0),
    ("WORKERS", "4", "http.workers", 4),
    (
        "CORS_ORIGINS",
        "https://a.example, https://b.example",
        "http.cors_origins",
        ("https://a.example", "https://b.example"),
    ),
    ("MAX_BODY_BYTES", "2048", "http.max_body_bytes", 2048),
    ("ALLOWED_HOSTS", "Atoll.example, *.b.example", "http.allowed_hosts", ("atoll.example", "*.b.example")),
    ("SSL_KEYFILE", "/key.pem", "tls.keyfile", Path("/key.pem")),
    ("SSL_CERTFILE", "/chain.pem", "tls.certfile", Path("/chain.pem")),
    ("SSL_KEYFILE_PASSWORD", "hunter2", "tls.keyfile_password", SecretStr("hunter2")),
    ("SSL_MIN_VERSION", "1.3", "tls.min_version", "1.3"),
    ("SSL_CIPHERS", "ECDHE+AESGCM", "tls.ciphers", "ECDHE+AESGCM"),
    ("SSL_CLIENT_CA", "/ca.pem", "tls.client_ca", Path("/ca.pem")),
    ("SERVICE_MODEL", "sample, imputation,", "plugins.service_model", ("sample", "imputation")),
    ("ATOLL_PLUGIN_PATH", "/one,/two words", "plugins.path", (Path("/one"), Path("/two words"))),
    ("ATOLL_ROLES", "http,timers", "plugins.roles", frozenset({"http", "timers"})),
    ("ATOLL_STATE", "/state", "storage.state_dir", Path("/state")),
    ("FILE_SHARE", "/share", "storage.file_share", "/share"),
    ("FILE_SHARE_CREDENTIAL", "sig=1", "storage.file_share_credential", SecretStr("sig=1")),
    ("MAX_DATASET_BYTES", "5000", "storage.max_dataset_bytes", 5000),
    ("DATASET_PATH", "/data/set", "storage.dataset_path", Path("/data/set")),
    ("PREDICT_THREADS", "3", "serving.threads", 3),
    ("PREDICT_QUEUE", "0", "serving.queue_length", 0),
    ("ASYNC_AFTER_S", "30", "serving.async_after_s", 30.0),
    ("RESULT_CACHE_BYTES", "1000", "serving.result_cache_bytes", 1000),
    ("MAX_ITEMS", "5", "serving.max_items", 5),
    ("MAX_TEXT_CHARS", "100", "serving.max_text_chars", 100),
    ("TELEMETRY_BACKENDS", "otlp", "telemetry.backends", ("otlp",)),
    ("TELEMETRY_SIGNALS", "traces, logs", "telemetry.signals", ("traces", "logs")),
    ("OTEL_SERVICE_NAME", "survey", "telemetry.service_name", "survey"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example", "telemetry.otlp_endpoint", "https://c.example"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "telemetry.otlp_protocol", "grpc"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "5000", "telemetry.metric_interval_ms", 5000),
    (
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "InstrumentationKey=0",
        "telemetry.application_insights",
        SecretStr("InstrumentationKey=0"),
    ),
    ("DATABASE_URL", "sqlite:////x.db", "database.url", SecretStr("sqlite:////x.db")),
    ("DATABASE_POOL", "3", "database.pool_size", 3),
    ("REGISTRY_KEEP_VERSIONS", "10", "registry.keep_versions", 10),
    ("REGISTRY_KEEP_DAYS", "7", "registry.keep_days", 7.0),
    ("REGISTRY_GRACE_HOURS", "1", "registry.grace_hours", 1.0),
    ("SAMPLING", "true", "registry.sampling", True),
    ("SAMPLE_DAYS", "7", "registry.sample_days", 7.0),
    ("SAMPLE_BYTES", "200000", "registry.sample_bytes", 200_000),
    ("GRPC_PORT", "9000", "http.grpc_port", 9000),
    ("CLUSTERS_FILE", "/etc/clusters.toml", "submission.clusters_file", Path("/etc/clusters.toml")),
    ("SUBMISSION_CONCURRENCY", "2", "submission.concurrency", 2),
    ("TASK_DAYS", "7", "submission.task_days", 7.0),
    ("MAX_TASK_CONFIG_BYTES", "2048", "submission.max_config_bytes", 2048),
    ("MAX_PROGRAM_BYTES", "2048", "submission.max_program_bytes", 2048),
    ("MAX_PROGRAM_UNPACKED_BYTES", "4096", "submission.max_unpacked_bytes", 4096),
    ("MAX_PROGRAM_FILES", "10", "submission.max_unpacked_files", 10),
    ("MAX_TASK_INPUT_BYTES", "2048", "submission.max_input_bytes", 2048),
    ("MAX_TASK_OUTPUT_BYTES", "2048", "submission.max_output_bytes", 2048),
    ("MAX_MODEL_BYTES", "2048", "hosting.max_model_bytes", 2048),
    ("UPLOAD_PART_BYTES", "4096", "hosting.upload_part_bytes", 4096),
    ("MAX_IMAGE_PIXELS", "100", "hosting.max_image_pixels", 100),
    ("MODEL_HOSTS", "http://a:7071, http://b:7071", "hosting.model_hosts", ("http://a:7071", "http://b:7071")),
    ("MODEL_HOST_TIMEOUT_S", "2", "hosting.model_host_timeout_s", 2.0),
    ("MODEL_POOL_BYTES", "5000000", "models.pool_bytes", 5_000_000),
    ("MODEL_POOL_PINNED", "hosted.a, hosted.b", "models.pinned", ("hosted.a", "hosted.b")),
    ("MODEL_CACHE_BYTES", "0", "models.cache_bytes", 0),
    ("MODEL_CHECK_MEMORY_BYTES", "60000000", "models.check_memory_bytes", 60_000_000),
    ("MODEL_CHECK_S", "5", "models.check_s", 5.0),
    ("MODEL_UNPACKED_BYTES", "2000000", "models.unpacked_bytes", 2_000_000),
    ("AzureWebJobsStorage", "UseDevelopmentStorage=true", "jobs.storage", SecretStr("UseDevelopmentStorage=true")),
    ("AzureWebJobsStorage__queueServiceUri", "https://q.example", "jobs.storage_queue_uri", "https://q.example"),
    ("JOB_CONCURRENCY", "4", "jobs.concurrency", 4),
    ("JOB_WORKERS", "cpu,train", "jobs.worker_classes", ("cpu", "train")),
    ("JOB_ISOLATION", "thread", "jobs.isolation", "thread"),
    ("JOB_MEMORY_BYTES", "1000000", "jobs.memory_bytes", 1_000_000),
    ("JOB_ATTEMPTS", "5", "jobs.max_attempts", 5),
    ("JOB_RETRY_S", "1", "jobs.retry_base_s", 1.0),
    ("JOB_RETRY_MAX_S", "60", "jobs.retry_cap_s", 60.0),
    ("JOB_HEARTBEAT_S", "2", "jobs.heartbeat_s", 2.0),
    ("JOB_STALL_S", "20", "jobs.stall_s", 20.0),
    ("JOB_LEASE_S", "30", "jobs.lease_s", 30.0),
    ("JOB_TICK_S", "5", "jobs.tick_s", 5.0),
    ("JOB_DRAIN_S", "3", "jobs.drain_s", 3.0),
    ("JOB_CANCEL_GRACE_S", "4", "jobs.cancel_grace_s", 4.0),
    ("JOB_RESULT_DAYS", "1", "jobs.result_days", 1.0),
    ("JOB_KEEP_DAYS", "2", "jobs.keep_days", 2.0),
    (
        "SCHEDULES",
        '[{"cron": "0 3 * * *", "path": "/a/predict", "body": {"b": 1}}]',
        "jobs.schedules",
        (Schedule(cron="0 3 * * *", path="/a/predict", body={"b": 1}),),
    ),
    ("CALLBACK_SECRET", f"{SECRET} {SECRET}", "callbacks.secrets", (SECRET, SECRET)),
    ("CALLBACK_ALLOW", "hooks.example, 10.0.0.0/8", "callbacks.allow", ("hooks.example", "10.0.0.0/8")),
    ("CALLBACK_ATTEMPTS", "3", "callbacks.attempts", 3),
    ("CALLBACK_TIMEOUT_S", "2.5", "callbacks.timeout_s", 2.5),
    ("LOGGING_LEVEL", "debug", "telemetry.level", "DEBUG"),
    ("LOG_FORMAT", "console", "telemetry.log_format", "console"),
    ("ANONYMOUS_SCOPES", "predict, train", "security.anonymous_scopes", frozenset({"predict", "train"})),
    ("FUNCTIONS_WORKER_RUNTIME", "python", "security.functions_runtime", "python"),
    ("AUDIT_DAYS", "30", "security.audit_days", 30.0),
    ("ATOLL_ADMIN_KEY", "k" * 32, "security.admin_key", SecretStr("k" * 32)),
    ("OIDC_ISSUER", "https://issuer.example", "oidc.issuer", "https://issuer.example"),
    ("OIDC_AUDIENCE", "api://atoll, 11-22", "oidc.audience", ("api://atoll", "11-22")),
    ("OIDC_JWKS_URL", "https://issuer.example/keys", "oidc.jwks_url", "https://issuer.example/keys"),
    (
        "OIDC_ROLES",
        "Lab=predict+train, Boss=admin",
        "oidc.roles",
        {"Lab": frozenset({"predict", "train"}), "Boss": frozenset({"admin"})},
    ),
    ("OIDC_ROLE_CLAIMS", "groups, realm_access.roles", "oidc.role_claims", ("groups", "realm_access.roles")),
    ("OIDC_TENANTS", "a, b", "oidc.tenants", frozenset({"a", "b"})),
    ("OIDC_CLIENT_ID", "11-22", "oidc.client_id", "11-22"),
    ("OIDC_CLIENT_SECRET", "s" * 20, "oidc.client_secret", SecretStr("s" * 20)),
    ("OIDC_SIGN_IN_SCOPE", "openid api://atoll/.default", "oidc.sign_in_scope", "openid api://atoll/.default"),
    ("OIDC_LEEWAY_S", "5", "oidc.leeway_s", 5.0),
    ("RATE_LIMIT_PER_S", "0", "limits.rate_per_s", 0.0),
    ("RATE_LIMIT_BURST", "7", "limits.burst", 7),
    ("AUTH_FAILURES_PER_MIN", "5", "limits.failures_per_min", 5),
    (
        "TRUSTED_PROXIES",
        "10.1.2.3/8, 2001:db8::1",
        "limits.trusted_proxies",
        (ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128")),
    ),
    ("MAX_JOBS_PER_OWNER", "3", "limits.jobs_per_owner", 3),
    ("REQUEST_READ_TIMEOUT_S", "2", "limits.read_timeout_s", 2.0),
    ("REDIS_URL", "redis://localhost:6379/0", "redis.url", SecretStr("redis://localhost:6379/0")),
]
# Settings that are of no use alone.
TOGETHER = {"OIDC_ISSUER": {"OIDC_AUDIENCE": "api://atoll"}}
WRONG = [
    ("OIDC_ISSUER", "issuer.example"),
    ("OIDC_ISSUER", "http://issuer.example"),
    ("OIDC_ISSUER", "https://user@issuer.example"),
    ("OIDC_ISSUER", "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0"),
    ("OIDC_ISSUER", "https://login.microsoftonline.com/organizations/v2.0"),
    ("OIDC_ROLES", "Lab"),
    ("OIDC_ROLES", "Lab=cook"),
    ("OIDC_LEEWAY_S", "3600"),
    ("PORT", "web"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("WORKERS", "0"),
    ("MAX_BODY_BYTES", "10 MB"),
    ("MAX_BODY_BYTES", "0"),
    ("ATOLL_ROLES", "http,cook"),
    ("PREDICT_THREADS", "-1"),
    ("PREDICT_THREADS", "many"),
    ("PREDICT_QUEUE", "1.5"),
    ("RESULT_CACHE_BYTES", "-1"),
    ("CALLBACK_ALLOW", "https://hooks.example"),
    ("CALLBACK_ALLOW", "10.0.0.0/99"),
    ("CORS_ORIGINS", "https://page.example/path"),
    ("CORS_ORIGINS", "page.example"),
    ("CORS_ORIGINS", "https://*.example"),
    ("CORS_ORIGINS", "null"),
    ("ALLOWED_HOSTS", "https://atoll.example"),
    ("ALLOWED_HOSTS", "atoll.example:443"),
    ("SSL_MIN_VERSION", "1.0"),
    ("LOGGING_LEVEL", "LOUD"),
    ("LOG_FORMAT", "xml"),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("RATE_LIMIT_BURST", "0"),
]
FIELDS = {name.upper() for area in AREAS for name in area.model_fields}
ALIASES = {str(field.validation_alias) for area in AREAS for field in area.model_fields.values()}


def test_the_table_above_holds_every_setting() -> None:
    assert {name for name, *_ in READ} == ALIASES


@pytest.mark.parametrize(("name", "text", "path", "value"), READ, ids=[item[0] for item in READ])
def test_a_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, path: str, value: Any
) -> None:
    for variable, value_of in {**TOGETHER.get(name, {}), name: text}.items():
        monkeypatch.setenv(variable, value_of)
    area, field = path.split(".")
    assert getattr(getattr(Settings(), area), field) == value


@pytest.mark.parametrize("name", [item[0] for item in READ])
def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    defaults = {area.__name__: area().model_dump() for area in AREAS}
    monkeypatch.setenv(name, "")
    assert {area.__name__: area().model_dump() for area in AREAS} == defaults


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as refused:
        Settings()
    assert name in refused.value.detail
    assert repr(text) in refused.value.detail or "roles are" in refused.value.detail


def test_an_issuer_is_of_no_use_without_an_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example")
    with pytest.raises(SettingsError, match="set OIDC_AUDIENCE with OIDC_ISSUER"):
        Settings()


def test_a_very_long_wrong_value_is_cut_short_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9" * 4000)
    with pytest.raises(SettingsError) as refused:
        Settings()
    assert len(refused.value.detail) < 400


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBACK_SECRET", "whsec_dG9vIHNob3J0")
    with pytest.raises(SettingsError, match=r"CALLBACK_SECRET=.hidden.*base64 of 24 to 64 bytes") as refused:
        Settings()
    assert "dG9vIHNob3J0" not in refused.value.detail


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = get_settings()
    monkeypatch.setenv("PORT", "1234")
    assert get_settings() is first


def test_keyword_arguments_count_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1234")
    assert Settings(http=HttpSettings(port=99)).http.port == 99


def test_the_share_lies_in_the_state_folder_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_STATE", "/state")
    assert Settings().storage.share_dir == Path("/state/share")
    monkeypatch.setenv("FILE_SHARE", "/mnt/share")
    assert Settings().storage.share_dir == Path("/mnt/share")


@pytest.mark.parametrize("name", sorted(FIELDS - ALIASES))
def test_a_variable_named_as_a_field_is_not_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # PATH, for one, is set everywhere, and is not where plugins are.
    monkeypatch.setenv(name, "?")
    assert all("?" not in str(area().model_dump()) for area in AREAS)


def test_every_setting_is_described() -> None:
    undescribed = [name for area in AREAS for name, field in area.model_fields.items() if not field.description]
    assert undescribed == []


def test_a_plugin_path_without_commas_is_one_folder() -> None:
    assert PluginSettings(path="/one").path == (Path("/one"),)


def test_a_cache_of_nothing_is_possible() -> None:
    assert ServingSettings(result_cache_bytes=0).result_cache_bytes == 0


@pytest.mark.parametrize("value", ["too short", "two words of more than 32 characters", "ключ" * 10, "k" * 1025])
def test_an_admin_key_that_cannot_be_used_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ATOLL_ADMIN_KEY", value)
    with pytest.raises(SettingsError, match="`openssl rand -hex 32` makes one") as caught:
        Settings()
    assert value not in caught.value.detail
