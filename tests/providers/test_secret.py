"""A credential gets out through `reveal()` alone."""

import copy
import json
import logging
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.models import Asset, AssetKind
from providers.secret import InvalidSecret, Secret

CANARY = "CRN_CANARY_123"


def test_no_way_of_printing_gives_it_away(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("the key is %s, %r", secret, secret)
    asset = Asset("m", AssetKind.VIDEO, sealed_link=secret)
    shown = f"{secret} {secret!r} {secret:>40} {[secret]} {asset}" + str({"key": secret}) + caplog.text
    assert CANARY not in shown
    assert "Secret(…)" in shown
    assert secret.reveal() == CANARY


def test_it_cannot_be_copied_pickled_or_put_into_json() -> None:
    secret = Secret(CANARY)
    for escape in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            escape(secret)
        assert CANARY not in str(caught.value)
    for way in (pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as caught:
            way(Asset("m", AssetKind.VIDEO, sealed_link=secret))
        assert CANARY not in str(caught.value)


def test_it_has_no_other_attributes() -> None:
    secret = Secret(CANARY)
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret.other = 1  # type: ignore[attr-defined]  # it must not take any


def test_comparing() -> None:
    assert Secret(CANARY) == Secret(f" {CANARY}\n")
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    with pytest.raises(TypeError, match="unhashable"):
        {Secret(CANARY)}


@pytest.mark.parametrize(
    "value", ["", "  \n", "a\nb", "a\rb", "a\x00b", "a\tb", "a\x7fb", "a\x1bb", "schlüssel", "a\u2028b"]
)
def test_what_cannot_be_a_credential(value: str) -> None:
    with pytest.raises(InvalidSecret) as caught:
        Secret(value)
    assert len(value) < 2 or value not in str(caught.value)


def test_a_passphrase_may_have_spaces_inside() -> None:
    assert Secret("correct horse").reveal() == "correct horse"


@given(st.text())
def test_what_is_taken_can_stand_in_a_header(value: str) -> None:
    try:
        held = Secret(value).reveal()
    except InvalidSecret:
        return
    assert held == value.strip()
    assert held.isascii()
    assert held.isprintable()
