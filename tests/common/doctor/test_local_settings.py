"""`local.settings.json` as the Core Tools read it."""

import pytest

from common.doctor.local_settings import Unusable, values_of
from common.settings import CHECKOUT


def test_the_example_that_we_ship_can_be_used() -> None:
    text = (CHECKOUT / "local.settings.example.json").read_text()
    assert values_of(text)["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"Values": {"A": "1"', "no JSON"),
        ("", "no JSON"),
        ("[]", 'no "Values"'),
        ('{"A": "1"}', 'no "Values"'),
        ('{"Values": ["A"]}', 'no "Values"'),
        ('{"IsEncrypted": true, "Values": {"A": "x"}}', "func settings decrypt"),
        ('{"Values": {"PORT": 1, "A": "x", "B": null}}', "B, PORT: variables are texts"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(Unusable, match=told):
        values_of(text)
