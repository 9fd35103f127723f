"""What is told of a fault that nobody foresaw."""

import logging

import pytest

from providers.redaction import RedactedLog, redact, told

LINK = "https://b.example/o?X-Amz-Signature=" + "CANARY"


def broken() -> BaseException:
    """As it is caught: with its traceback, its cause and its notes."""
    try:
        try:
            raise KeyError("Authorization: Bearer " + "CANARY")
        except KeyError as cause:
            raise RuntimeError(f"refused {LINK} \x1b[2J") from cause
    except RuntimeError as fault:
        fault.add_note("api_key=" + "CANARY")
        return fault


def test_a_traceback_tells_what_happened_and_no_secret() -> None:
    text = told(broken())
    assert "in broken" in text
    assert "KeyError: 'Authorization: …" in text
    assert "RuntimeError: refused https://b.example/o?… ␛[2J\napi_key=…" in text
    assert "CANARY" not in text.replace('"CANARY"', "")  # the lines of this file
    assert not text.endswith("\n")


def test_a_log_record_with_its_traceback_tells_no_secret() -> None:
    fault = broken()
    record = logging.LogRecord(
        "asyncio", logging.ERROR, __file__, 1, "lost %s", (LINK,), (type(fault), fault, fault.__traceback__)
    )
    lines = RedactedLog().format(record).splitlines()
    assert lines[0] == "lost https://b.example/o?…"
    assert lines[-1] == "api_key=…"
    assert "CANARY" not in "\n".join(lines).replace('"CANARY"', "")


@pytest.mark.parametrize(
    "text",
    [
        *("X-Amz-Security-Token: {}", "signature={}", "sig={}", "token={}", "key={}", "secret={}", "password={}"),
        *("guid={}", "apikey={}", "api_key: {}", "PASSWORD = {}", "Bearer {}", "api-key', '{}", "Authorization: {}"),
        *("cookie={}", "set-cookie: {}", "CRN_{}", "CRA_{}", "https://b.example/o?{}"),
    ],
)
def test_what_is_named_like_a_credential_is_cut_out(text: str) -> None:
    assert redact(f"it said {text.format('CANARY')} and ended").count("…") == 1
    assert "CANARY" not in redact(f"it said {text.format('CANARY')} and ended")
    assert redact("it said nothing and ended") == "it said nothing and ended"
