"""Cronofy Meeting Agents: announced by signed webhooks, fetched through resource addresses."""

from typing import TYPE_CHECKING

from providers.base import AccountSettings, Option, ProviderInfo, SecretField, SecretSource
from providers.models import AssetKind, Capability

if TYPE_CHECKING:
    from providers.cronofy.client import Cronofy

INFO = ProviderInfo(
    name="cronofy",
    label="Cronofy Meeting Agents",
    meeting_word="agent",
    capabilities=frozenset({Capability.FETCH, Capability.AGENTS, Capability.WEBHOOK}),
    kinds=(AssetKind.TRANSCRIPT, AssetKind.AUDIO, AssetKind.VIDEO, AssetKind.DASHBOARD),
    options=(
        Option(
            "data_center",
            "Cronofy's data center that holds the application",
            "choice",
            "us",
            choices=("us", "au", "ca", "de", "sg", "uk"),
        ),
        Option("base_url", "address of the API, instead of the data center's own", "url"),
        Option("resource_hosts", "more hosts that may be sent the API key, as exact host or host:port", "texts", ()),
    ),
    secrets=(
        SecretField("api_key", "API key, which is the application's client secret (CRN_…)"),
        SecretField(
            "other_api_key", "the application's other client secret, while one is being rotated", required=False
        ),
        SecretField("hook_secret", "last part of the receiver's address, a second factor", required=False),
    ),
    found_by="Cronofy has no list of agents: they are announced by its webhooks, or dispatched from here",
    signs=True,
)


def connect(settings: AccountSettings, secrets: SecretSource) -> "Cronofy":
    """The client of an account. Nothing is sent yet. Raises NotTrusted for an unusable address in the settings."""
    from providers.cronofy.client import Cronofy

    return Cronofy(settings, secrets)
