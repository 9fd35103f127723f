"""What is not to be seen of a value is in no way of printing it, and values are what they were in every other way."""

from typing import ClassVar

import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from providers.base import Head, Source
from providers.discreet import Discreet
from providers.messages import Answer, Request
from providers.models import AssetId, AssetKind, Delivery, NotificationSettings, Subscription
from providers.secret import Secret
from providers.steps import Outcome, Step
from providers.temasys.wire import Stored

CANARY = "CRN_CANARY_123"
BODY = CANARY.encode()
VALUES: tuple[tuple[Discreet, str], ...] = (
    (Answer(200, {}, BODY), "Answer(status=200, headers={})"),
    (Delivery({"authorization": CANARY}, BODY), "Delivery()"),
    (Head(200, {}, BODY, True), "Head(status=200, headers={}, complete=True)"),
    (Request("GET", "http://a.example/", content=BODY), "Request(method='GET', url='http://a.example/', headers={}, "),
    (Source(CANARY, print), "Source(judge=<built-in function print>, "),
    (Stored(NotificationSettings(False), Secret(CANARY)), "Stored(settings=NotificationSettings(exists=False, "),
    (Subscription("1", "t", "https://a.example/", digest=CANARY), "Subscription(id='1', topic='t', "),
)


@pytest.mark.parametrize(("value", "begins"), VALUES, ids=lambda each: type(each).__name__)
def test_no_way_of_printing_shows_it(value: Discreet, begins: str) -> None:
    assert repr(value).startswith(begins)
    for shown in (repr(value), str(value), f"{value}", f"{[value]}", pretty_repr(value)):
        assert CANARY not in shown
        assert not any(f" {name}=" in shown or f"({name}=" in shown for name in value.UNSHOWN)


def test_a_field_that_there_is_not_is_told_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="contents in UNSHOWN is no field"):

        class Misspelt(Discreet, frozen=True):
            UNSHOWN: ClassVar = ("contents",)
            content: bytes


def test_what_is_not_shown_counts_as_much_as_the_rest() -> None:
    assert Answer(200, {}, b"a") != Answer(200, {}, b"b")
    assert Answer(200, {}, b"a") == Answer(200, {}, b"a")


def test_a_step_that_is_changed_is_made_harmless_again() -> None:
    step = replace(Step("tls", Outcome.FAILED, "no\nway"), words="two\nlines\x1b[2J")
    assert "\n" not in step.words
    assert "\x1b" not in step.words


def test_identities_are_keys_and_have_an_order() -> None:
    one, other = AssetId("a", "m", AssetKind.VIDEO), AssetId("a", "n", AssetKind.AUDIO)
    assert {one: 1}[AssetId("a", "m", AssetKind.VIDEO)] == 1
    assert sorted([other, one]) == [one, other]
    with pytest.raises(AttributeError):
        one.account = "b"  # type: ignore[misc]  # it must not be changed
