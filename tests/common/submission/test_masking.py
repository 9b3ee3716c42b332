"""Secrets of tasks stay hidden."""

import pytest

from common.submission.masking import is_secret_name, mask_bytes, mask_text, masked_spec, secret_bytes, secrets_in
from common.submission.spec import SparkSpec, TaskSpec, Tracking

SECRET = "hunter2'\"hunter2"  # noqa: S105 - a sample


@pytest.mark.parametrize(
    "name",
    [
        "password", "DB_PASSWORD", "dbPassword", "api_key", "apiKey", "HF_TOKEN", "client.secret",
        "aws-secret-access-key", "AWS_ACCESS_KEY_ID",
        "passphrase", "sas", "spark.hadoop.fs.s3a.secret.key", "credentials", "my_pwd", "AUTH",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["max_tokens", "tokenizer", "keyboard", "n_estimators", "monkey", "passes", "author"])
def test_names_that_only_look_so_are_none(name: str) -> None:
    assert not is_secret_name(name)


SPEC = TaskSpec(
    name="x",
    cluster="local",
    entry_point="x.py",
    parameters={"password": SECRET, "depth": 3, "pin": 1, "note": f"see {SECRET}", "use_token": True},
    environment={"HF_TOKEN": "hf_0123456789", "URL": "postgresql://me:s3cret-pw@host/db", "MODE": "fast"},
    command=("python", "x.py", "--token", "tok-456789", "--api-key=ak-456789", "--password", "x", "--depth", "3"),
    labels={"secret": "label-secret"},
    tracking=Tracking(uri="https://me:s3cret-pw@mlflow", experiment="x"),
    spark=SparkSpec(conf={"spark.hadoop.secret.key": "spark-secret"}, arguments=("--token=sp-456789",)),
)
SECRETS = [
    SECRET, "hf_0123456789", "s3cret-pw", "tok-456789", "ak-456789", "label-secret", "spark-secret", "sp-456789",
]  # fmt: skip


def test_a_masked_task_shows_no_secret_and_all_the_rest() -> None:
    shown = masked_spec(SPEC)
    text = repr(shown) + shown.model_dump_json()
    assert [secret for secret in SECRETS if secret in text] == []
    assert shown.parameters == {"password": "***", "depth": 3, "pin": "***", "note": "see ***", "use_token": True}
    assert shown.environment["MODE"] == "fast"
    assert shown.command == (
        "python", "x.py", "--token", "***", "--api-key=***", "--password", "***", "--depth", "3",
    )  # fmt: skip


def test_a_text_is_shown_without_the_secrets_of_the_task() -> None:
    secrets = secrets_in(SPEC)
    for secret in SECRETS:
        assert secret not in mask_text(f"failed: cannot log in with {secret}!", secrets)


def test_a_log_is_as_long_as_before() -> None:
    secrets = secret_bytes(secrets_in(SPEC))
    line = f"token is tok-456789, {SECRET} and {SECRET!r}, depth 3\n".encode()
    hidden = mask_bytes(line, secrets)
    assert len(hidden) == len(line)
    assert b"tok-456789" not in hidden
    assert SECRET.encode() not in hidden
    assert hidden.startswith(b"token is **********, *")
    assert hidden.endswith(b"depth 3\n")
