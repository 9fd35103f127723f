from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import base
from providers.base import (
    AccountSettings,
    Forbidden,
    Gone,
    MissingSecret,
    NotFound,
    Option,
    Provider,
    ProviderError,
    ProviderInfo,
    RateLimited,
    Refused,
    ServiceDown,
    Unauthorized,
    Unsupported,
    error_for_status,
    retry_after_s,
    with_defaults,
)
from providers.models import Asset, AssetId, AssetKind, Delivery, Listing, NotificationChange
from providers.secret import Secret

NOW = datetime(2026, 4, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("999999999", 86_400.0),
        ("9" * 5000, 86_400.0),
        ("Sat, 04 Apr 2026 12:01:30 GMT", 90.0),
        ("Sat, 04 Apr 2026 14:01:30 +0200", 90.0),
        ("Sun, 05 Apr 2026 11:59:59 GMT", 86_399.0),
        ("Sun, 05 Apr 2026 12:00:01 GMT", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Sat, 04 Apr 2026 11:00:00 GMT", None),
        ("Sat, 04 Apr 2026 12:01:30 -0000", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


def test_retry_after_may_be_absent() -> None:
    assert retry_after_s({}, NOW) is None


@given(st.text(max_size=60))
def test_any_retry_after_is_a_wait_or_none(value: str) -> None:
    wait = retry_after_s({"retry-after": value}, NOW)
    assert wait is None or 0 <= wait <= 86_400


@given(st.integers(1, 10**12), st.integers(-9999, 9999))
def test_any_date_is_a_wait_or_none(year: int, zone: int) -> None:
    wait = retry_after_s({"retry-after": f"Sat, 04 Apr {year} 12:01:30 {zone:+05}"}, NOW)
    assert wait is None or 0 < wait <= 86_400


@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (400, Refused, False),
        (401, Unauthorized, False),
        (403, Forbidden, False),
        (404, NotFound, False),
        (408, ServiceDown, True),
        (409, Refused, False),
        (410, Gone, False),
        (425, ServiceDown, True),
        (429, RateLimited, True),
        (500, ServiceDown, True),
        (503, ServiceDown, True),
        (599, ServiceDown, True),
    ],
)
def test_a_status_becomes_its_error(status: int, kind: type[ProviderError], transient: bool) -> None:
    error = error_for_status(status, {"retry-after": "3"}, NOW, "its own words", "the archive")
    assert type(error) is kind
    assert error.transient is transient
    assert f"HTTP {status}" in error.words
    assert error.words.endswith(": its own words")
    assert error.retry_after_s == (3.0 if transient else None)
    assert str(error) == error.words
    silent = error_for_status(status, {}, NOW)
    assert not silent.words.endswith(":")
    assert silent.retry_after_s is None


def test_a_missing_secret_names_where_to_set_it() -> None:
    error = MissingSecret("my-calls", "api_key")
    assert error.name == "api_key"
    assert "reeldesk secret set my-calls api_key" in error.words
    assert "REELDESK_SECRET_MY_CALLS_API_KEY" in error.words


INFO = ProviderInfo(
    "x", "The service", "call", frozenset(), (), (Option("a", "a", default=1), Option("b", "b")), (), ""
)


def test_options_have_their_defaults() -> None:
    assert with_defaults(INFO, {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(KeyError, match="nonsense"):
        with_defaults(INFO, {"nonsense": 1, "other": 2})


class Bare(Provider):
    """A provider that offers nothing beyond what every one must."""

    info = INFO

    @property
    def opener(self) -> base.Opener:
        raise Unsupported("none")

    async def check(self) -> str:
        return "nothing"

    async def aclose(self) -> None:
        return None


async def test_what_a_provider_does_not_offer_is_said_in_words() -> None:
    bare = Bare(AccountSettings("acc", "x", {}))
    assert bare.account == "acc"
    bare.news(Listing())
    asset = Asset("m", AssetKind.VIDEO)
    change = NotificationChange(notify=True)
    calls = (
        bare.locate(asset),
        bare.release(asset),
        bare.look_up("x"),
        bare.notifications(),
        bare.save_notifications(change),
        bare.catchup("room"),
        bare.dispatch_agent("https://x.example"),
        bare.schedule_agent("https://x.example", "k", NOW),
        bare.cancel_agent("k"),
        bare.subscribe("t", "https://x.example"),
        bare.subscriptions(),
        bare.unsubscribe("1"),
        bare.delivery_reports("1"),
    )
    for call in calls:
        with pytest.raises(Unsupported, match=r"^The service has no \w"):
            await call
    with pytest.raises(Unsupported, match="list of its recordings"):
        bare.listing()
    with pytest.raises(Unsupported, match="events"):
        bare.watch()
    with pytest.raises(Unsupported, match="webhooks"):
        bare.read_delivery(Delivery({}, b""))
    with pytest.raises(Unsupported, match="notifications"):
        bare.preview_notifications(change, exists=False)
    with pytest.raises(NotFound, match="acc/m/video is not known here; `reeldesk sync acc`"):
        bare.adopt(AssetId("acc", "m", AssetKind.VIDEO))


def test_a_required_secret_is_given_or_missed() -> None:
    bare = Bare(AccountSettings("acc", "x", {}))
    assert bare._require(Secret("value"), "api_key").reveal() == "value"
    with pytest.raises(MissingSecret):
        bare._require(None, "api_key")
