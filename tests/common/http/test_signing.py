"""Signatures of callbacks, verified by the specification's own library."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from common.http.signing import key_of, new_secret, signed_headers

# The example of the specification's libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - published
BODY = b'{"test": 2432232314}'


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    assert signed_headers([key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, BODY) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_with_either_secret_can_verify_while_it_is_changed() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([key_of(new), key_of(old)], "id", datetime.now(UTC), BODY)
    assert all(Webhook(secret).verify(BODY, headers) for secret in (old, new))
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_a_changed_body_is_noticed() -> None:
    headers = signed_headers([key_of(SECRET)], "id", datetime.now(UTC), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY.replace(b"2", b"3"), headers)


def test_secrets_are_made_as_receivers_take_them() -> None:
    made = new_secret()
    assert made.startswith("whsec_")
    assert len(key_of(made)) == 32
    assert made != new_secret()


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_é", "hunter2", base64.b64encode(b"x" * 23).decode(), "whsec_" + "QUJD" * 22]
)
def test_a_secret_that_receivers_would_not_take_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 bytes") as refused:
        key_of(secret)
    assert not secret or secret not in str(refused.value).replace("`whsec_`", "")
