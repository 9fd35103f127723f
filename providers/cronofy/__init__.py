"""Cronofy Meeting Agents: announced by signed webhooks, fetched through resource addresses."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from providers import checks
from providers.base import AccountSettings, SecretSource
from providers.declaring import Option, ProviderInfo, SecretField
from providers.models import AssetKind, Capability

if TYPE_CHECKING:
    from providers.cronofy.client import Cronofy


def _address(options: Mapping[str, Any]) -> str:
    from providers.cronofy.wire import base_url

    return base_url(options)


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
            example="de",
        ),
        Option(
            "base_url",
            "address of the API, instead of the data center's own",
            "url",
            label="Address",
            example="https://api-de.cronofy.com",
            advanced=True,
        ),
        Option(
            "resource_hosts",
            "more hosts that may be sent the API key, as exact host or host:port",
            "texts",
            (),
            example="files.example.com, files.example.com:8443",
            check=checks.exact_host,
            advanced=True,
        ),
    ),
    secrets=(
        SecretField("api_key", "API key, which is the application's client secret (CRN_…)", label="API key"),
        SecretField(
            "other_api_key",
            "the application's other client secret, while one is being rotated",
            required=False,
            label="Other API key",
            advanced=True,
        ),
        SecretField(
            "hook_secret",
            "last part of the receiver's address, a second factor",
            required=False,
            label="Webhook secret",
            advanced=True,
        ),
    ),
    found_by="Cronofy has no list of agents: they are announced by its webhooks, or dispatched from here",
    signs=True,
    address=_address,
)


def connect(settings: AccountSettings, secrets: SecretSource) -> "Cronofy":
    """The client of an account. Nothing is sent yet. Raises NotTrusted for an unusable address in the settings."""
    from providers.cronofy.client import Cronofy

    return Cronofy(settings, secrets)
