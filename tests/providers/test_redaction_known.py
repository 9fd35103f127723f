"""Reports of faults do not tell a credential that the process holds, whatever stands around it."""

import gc
import logging
import sys

import pytest

from providers.redaction import RedactedLog, told, without_secrets
from providers.secret import Secret

KEY = "s3c\"r'et\\ w0rd/&<x>"


@pytest.mark.parametrize("shape", ["{0}", "{0!r}", "sent {0}, then {0}", "{{'a': {0!r}}}", "x{0}y\nz"])
def test_a_fault_with_it_in_its_text_is_told_without(shape: str) -> None:
    held = Secret(KEY)
    fault = RuntimeError(shape.format(KEY), KEY)
    fault.__cause__ = KeyError(KEY)
    assert "w0rd" not in told(fault)
    assert "RuntimeError" in told(fault)
    record = logging.LogRecord("asyncio", logging.ERROR, "", 1, "broke: %s", (KEY,), (RuntimeError, fault, None))
    assert "w0rd" not in RedactedLog().format(record)
    assert "asyncio" in RedactedLog("%(name)s %(message)s").format(record)
    del held


def test_what_is_no_secret_any_more_is_no_secret() -> None:
    held = Secret("was-a-secret-once")
    assert Secret.living().count("was-a-secret-once") == 1
    assert "once" not in without_secrets("it was-a-secret-once")
    del held
    gc.collect()
    assert "was-a-secret-once" not in Secret.living()
    assert sys.getsizeof(Secret("small-one")) < 100
