"""What a packet shows of a service's record to somebody else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.kept import compact
from vault.custody.records import shareable

SECRET = "S3cr3t-s3cr3t-s3cr3t"


@pytest.mark.parametrize(
    "record",
    [
        {"callback_url": f"https://hooks.example.com/x/{SECRET}"},
        {"notificationUrl": f"https://hooks.example.com/{SECRET}"},
        {"joinWebhook": f'https://hooks.example.com/"{SECRET}"'},
        {"note": f"called https://desk.example.com/hooks/advice/{SECRET} twice"},
        {"file": f"https://s3.example.com/a.zip?X-Amz-Signature={SECRET}&X-Amz-Date=1"},
        {"file": f"https://user:{SECRET}@example.com/a.zip"},
        {"said": f"Authorization: Bearer {SECRET}"},
    ],
)
def test_what_would_let_somebody_act_for_us_is_cut_out(record: dict[str, str]) -> None:
    value = {**record, "id": "abc123", "state": "AVAILABLE"}
    text = shareable(json.dumps(value, indent=2))
    assert shareable(compact(value)) == text
    assert SECRET not in text
    assert json.loads(text)["id"] == "abc123"
    assert json.loads(text)["state"] == "AVAILABLE"


@given(st.dictionaries(st.text("abcxyz", min_size=1), st.text("abc „ß“ 会議 0123:/.-", max_size=40)))
def test_what_is_no_secret_stays(record: dict[str, str]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=2)
    assert json.loads(shareable(text)) == record
