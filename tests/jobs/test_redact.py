import pytest

from common.jobs.redact import redact


@pytest.mark.parametrize(
    "text",
    [
        "cannot connect to postgresql://atoll:hunter22@db/atoll",
        "DefaultEndpointsProtocol=https;AccountKey=hunter22==;EndpointSuffix=core.windows.net",
        "password='hunter22' is wrong",
        '{"api_key": "hunter22"}',
        "https://x.file.core.windows.net/share?sv=1&sig=hunter22%3D&se=2",
        "Authorization: Bearer hunter22hunter22",
        "client_secret: hunter22",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "hunter22" not in redact(text)


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    assert redact("a hunter22 b", ["hunter22"]) == "a *** b"


@pytest.mark.parametrize("text", ["KeyError: 'target_year'", "loss = 0.25 at epoch 3", "see http://host:8080/path"])
def test_other_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_text_can_be_stored_anywhere_and_is_short() -> None:
    cleaned = redact("\x00\ud800" + "x" * 5000)
    assert len(cleaned.encode()) < 2100
    assert "\x00" not in cleaned
