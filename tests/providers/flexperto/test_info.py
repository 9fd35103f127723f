"""What the provider declares of itself."""

import subprocess
import sys

from providers import registry
from providers.base import with_defaults
from providers.flexperto import INFO
from providers.models import AssetKind, Capability


def test_what_it_declares() -> None:
    assert registry.info("flexperto") is INFO
    assert INFO.kinds == (AssetKind.ARCHIVE,)
    assert INFO.capabilities == {
        Capability.LIST,
        Capability.FETCH,
        Capability.RELEASE,
        Capability.WEBHOOK,
        Capability.SUBSCRIPTIONS,
    }
    defaults = {"base_url": "https://a.example", "paths": "auto", "abandon_days": 3.0}
    assert with_defaults(INFO, {"base_url": "https://a.example"}) == defaults
    assert [(secret.name, secret.required) for secret in INFO.secrets] == [("api_key", True), ("hook_secret", False)]
    assert (INFO.signs, INFO.fetch_at_once) == (False, False)


def test_declaring_needs_no_http_library() -> None:
    code = "import sys, providers.flexperto; print(sorted({'httpx', 'starlette', 'uvicorn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
