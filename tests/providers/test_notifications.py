"""The form's words, as one types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.models import NotificationChange, NotificationSettings
from providers.notifications import FIELDS, fields_of, parse_emails, problems
from providers.secret import Secret

ARN = "arn:aws:s3:region::bucketname/objectpath"
STORED = NotificationSettings(exists=True, s3_arn=ARN, s3_access_key_id="AKIA1", has_s3_secret=True)
TRIO = {"s3_arn": ARN, "s3_access_key_id": "AKIA1", "s3_secret_access_key": "wJalr/+="}


def test_emails_are_separated_by_comma_semicolon_or_space() -> None:
    assert parse_emails(" a@b.com,b@c.com;c@d.org  d@e.org\n a@b.com;; ") == (
        "a@b.com",
        "b@c.com",
        "c@d.org",
        "d@e.org",
    )
    assert parse_emails("") == ()


def test_nothing_typed_is_fine() -> None:
    assert problems({}) == {}


@pytest.mark.parametrize("url", ["http://site.com/events", "https://site.com:8443/e?x=1", "HTTPS://SITE.com"])
def test_an_address_is_taken(url: str) -> None:
    assert problems({"url": url}) == {}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("site.com/events", "must begin with http:// or https://"),
        ("ftp://site.com", "must begin with http:// or https://"),
        ("https://", "is no address that can be called"),
        ("https://a b.com", "is no address that can be called"),
        ("https://site.com:port/", "is no address that can be called"),
    ],
)
def test_what_is_no_address_is_told(url: str, words: str) -> None:
    assert problems({"url": url}) == {"url": words}


@pytest.mark.parametrize("email", ["a", "a@b", "a@@b.com", "@b.com", "a@b..com", "a@.com", "a@b.com."])
def test_what_is_no_email_is_named(email: str) -> None:
    assert problems({"email": f"good@b.com, {email}"}) == {"email": f"{email} is no e-mail address"}


@pytest.mark.parametrize("arn", [ARN, "arn:aws:s3:::bucket/key", "arn:aws-cn:s3:cn-north-1:123:b/k"])
def test_an_arn_is_judged_loosely(arn: str) -> None:
    assert problems({**TRIO, "s3_arn": arn}) == {}


@pytest.mark.parametrize("arn", ["bucket", "arn:aws:sns:::topic", "arn:aws:s3:bucket", "arn::s3:::b"])
def test_what_is_no_arn_is_told(arn: str) -> None:
    assert set(problems({**TRIO, "s3_arn": arn})) == {"s3_arn"}


@pytest.mark.parametrize("missing", TRIO)
def test_the_trio_is_all_or_none(missing: str) -> None:
    assert set(problems({**TRIO, missing: " "})) == {missing}
    assert set(problems({missing: TRIO[missing]})) == set(TRIO) - {missing}


def test_a_stored_secret_need_not_be_typed_again_for_the_same_key_id() -> None:
    typed = {**TRIO, "s3_secret_access_key": ""}
    assert problems(typed, STORED) == {}
    assert problems({**typed, "s3_arn": "arn:aws:s3:::other/path"}, STORED) == {}
    other = problems({**typed, "s3_access_key_id": "AKIA2"}, STORED)
    assert other == {"s3_secret_access_key": "another access key id needs its own secret access key: type it"}
    assert set(problems(typed, NotificationSettings(exists=True))) == {"s3_secret_access_key"}
    assert set(problems({"s3_arn": ARN}, STORED)) == {"s3_access_key_id", "s3_secret_access_key"}


def test_a_secret_with_odd_characters_is_not_echoed() -> None:
    words = problems({**TRIO, "s3_secret_access_key": "••••geheim"})
    assert set(words) == {"s3_secret_access_key"}
    assert "geheim" not in str(words)


def test_a_change_as_fields_has_no_secret() -> None:
    change = NotificationChange(True, "https://s.com", ("a@b.com", "b@c.com"), ARN, "AKIA1", Secret("wJalr-secret"))
    fields = fields_of(change)
    assert set(fields) == set(FIELDS)
    assert fields["email"] == "a@b.com,b@c.com"
    assert "wJalr-secret" not in str(fields)
    assert problems(fields) == {}
    assert set(problems(fields_of(NotificationChange(True, s3_arn=ARN, s3_access_key_id="A")))) == {
        "s3_secret_access_key"
    }


@given(st.dictionaries(st.sampled_from(FIELDS), st.text()))
def test_whatever_is_typed_has_words_or_none(typed: dict[str, str]) -> None:
    found = problems(typed, STORED)
    assert set(found) <= set(FIELDS)
    assert all(found.values())
