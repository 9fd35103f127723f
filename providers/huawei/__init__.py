"""Huawei AICC CC-Gateway: an agent signs in, its events tell of recordings, and their files are downloaded."""

from providers import checks
from providers.base import AccountSettings, Provider, SecretSource
from providers.declaring import Option, ProviderInfo, SecretField
from providers.models import AssetKind, Capability

INFO = ProviderInfo(
    name="huawei",
    label="Huawei AICC",
    meeting_word="call",
    capabilities=frozenset({Capability.FETCH, Capability.WATCH}),
    kinds=(AssetKind.VIDEO, AssetKind.AUDIO),
    options=(
        Option(
            "base_url",
            "Address of the CC-Gateway, such as https://10.0.0.5:8043, with or without /agentgateway/resource",
            "url",
            required=True,
            label="Address",
            example="https://10.0.0.5:8043",
        ),
        Option(
            "agent_id", "Agent number, such as 1001 (101 to 999999)", required=True, example="1001", check=checks.digits
        ),
        Option(
            "phone",
            "Softphone number to sign in with; without it only a pasted Guid works",
            default="",
            example="40038",
        ),
        Option(
            "watch",
            "Sign in (busy, no auto-answer) and poll events while the desk is open; it occupies the agent's seat",
            "bool",
            default=False,
            example="true",
        ),
        Option(
            "download",
            "What ids given by hand are for: videofiledownload (conference and recording ids; sites with a CloudVC "
            "server) or videofiledownloadEx (file paths; current releases). Events choose by themselves",
            "choice",
            default="videofiledownload",
            choices=("videofiledownload", "videofiledownloadEx"),
            example="videofiledownloadEx",
            advanced=True,
        ),
    ),
    secrets=(
        SecretField(
            "password",
            "The agent's password, to sign in (one of password and guid is needed)",
            required=False,
            one_of="session",
        ),
        SecretField(
            "guid",
            "The Guid of a session that is already signed in, instead of a sign-in",
            required=False,
            one_of="session",
        ),
    ),
    found_by="The CC-Gateway lists no recordings: they are announced by events while the agent is signed in "
    "(watch = true), or adopted by their ids.",
)


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet. Raises ProviderError for a base_url or agent_id that is none."""
    from providers.huawei.client import Huawei

    return Huawei(settings, secrets)
