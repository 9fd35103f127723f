"""flexperto: archives of conferences, and the webhooks that announce them."""

from providers import checks
from providers.base import AccountSettings, Provider, SecretSource
from providers.declaring import Option, ProviderInfo, SecretField
from providers.models import AssetKind, Capability

INFO = ProviderInfo(
    name="flexperto",
    label="flexperto",
    meeting_word="conference",
    capabilities=frozenset(
        {Capability.LIST, Capability.FETCH, Capability.RELEASE, Capability.WEBHOOK, Capability.SUBSCRIPTIONS}
    ),
    kinds=(AssetKind.ARCHIVE,),
    options=(
        Option(
            "base_url",
            "the tenant's address, https://TENANT.live.flexperto.com; with or without /api/v2",
            kind="url",
            required=True,
            label="Address",
            example="https://acme.live.flexperto.com",
            check=checks.bare_address,
        ),
        Option(
            "paths",
            "which family of paths the tenant serves: current, legacy, or auto to find out",
            kind="choice",
            default="auto",
            choices=("auto", "current", "legacy"),
            example="auto",
        ),
        Option(
            "abandon_days",
            "days from abandoning an archive to its deletion, as the tenant is set up",
            kind="number",
            default=3.0,
            example="3",
            check=checks.between(0, 3_650),
            advanced=True,
        ),
    ),
    secrets=(
        SecretField("api_key", "API token of an administrator of the tenant", label="API token"),
        SecretField(
            "hook_secret",
            "the secret part of the address that webhooks are sent to",
            required=False,
            label="Webhook secret",
            advanced=True,
        ),
    ),
    topics=("communication.archives.archive.available", "communication.conferences.conference.close"),
    found_by="the tenant lists its archives; webhooks announce the ones that become available",
    days_after_release="abandon_days",
)


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet. Raises NotTrusted for a base_url that is no http(s) address."""
    from providers.flexperto.client import FlexpertoClient

    return FlexpertoClient(settings, secrets)
