"""The form of keys."""

import pytest

from common.security.keys.secret import digest, id_in, id_named, new_key, shown


def test_a_new_key_has_the_form_by_which_it_is_told() -> None:
    made = new_key()
    assert id_in(made.text) == made.id
    assert made.text.startswith(shown(made.id) + "_")
    assert len(made.text) == 60


def test_no_two_keys_are_the_same() -> None:
    made = [new_key() for _ in range(1000)]
    assert len({key.id for key in made}) == len({key.text for key in made}) == 1000


def test_what_is_kept_of_a_key_is_not_the_key() -> None:
    made = new_key()
    secret = made.text[17:]
    assert made.digest == digest(made.text)
    assert secret not in repr(made)
    assert secret not in made.digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "atl_",
        "atl_0123456789ab",
        "atl_0123456789ab_" + "x" * 42,
        "atl_0123456789ab_" + "x" * 44,
        "atl_0123456789AB_" + "x" * 43,
        "atl_0123456789il_" + "x" * 43,
        "atl_0123456789ab_" + "é" * 43,
        "atl_0123456789ab_" + "x" * 43 + "\n",
        "ATL_0123456789ab_" + "x" * 43,
        "x" * 60,
    ],
)
def test_anything_else_is_no_whole_key(text: str) -> None:
    assert id_in(text) is None


@pytest.mark.parametrize("text", ["{id}", "atl_{id}", "atl_{id}_{secret}", " atl_{id}\n"])
def test_a_person_may_name_a_key_by_what_is_at_hand(text: str) -> None:
    assert id_named(text.format(id="0123456789ab", secret="s" * 43)) == "0123456789ab"


@pytest.mark.parametrize("text", ["", "self", "atl_", "0123456789a", "0123456789ab_", "x" * 100_000])
def test_anything_else_names_no_key(text: str) -> None:
    assert id_named(text) is None
