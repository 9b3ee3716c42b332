"""What a caller may do and see."""

import pytest

from common.security import ALL_SCOPES, ANONYMOUS, Principal, Scope
from common.security.scopes import parse_scopes


def test_admin_has_every_scope_and_the_others_only_themselves() -> None:
    admin = Principal("key:1", "key", frozenset({Scope.ADMIN}))
    assert all(admin.may(scope) for scope in Scope)
    trainer = Principal("key:2", "key", frozenset({Scope.TRAIN}))
    assert [scope for scope in Scope if trainer.may(scope)] == [Scope.TRAIN]
    assert not any(map(ANONYMOUS.may, ALL_SCOPES))


def test_everybody_sees_their_own_and_admin_all() -> None:
    one = Principal("key:1", "key", frozenset({Scope.PREDICT}))
    assert one.sees("key:1")
    assert not one.sees("key:2")
    assert not one.sees("")
    assert Principal("key:3", "key", frozenset({Scope.ADMIN})).sees("key:1")


def test_a_list_of_models_excludes_the_others() -> None:
    bound = Principal("key:1", "key", ALL_SCOPES, models=frozenset({"housing"}))
    assert bound.may_use("housing")
    assert not bound.may_use("sentiment")
    assert Principal("key:1", "key", ALL_SCOPES).may_use("sentiment")


def test_an_unknown_scope_is_refused_with_those_that_there_are() -> None:
    assert parse_scopes(["predict", "admin"]) == {Scope.PREDICT, Scope.ADMIN}
    with pytest.raises(ValueError, match="'root' is no scope; there are predict, train, submit, admin"):
        parse_scopes(["predict", "root"])
