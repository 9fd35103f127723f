"""A provider with its emulator, ready for the contract suite. Each provider's `box.py` makes one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from providers import registry
from providers.base import AccountSettings, Provider, ProviderInfo, with_defaults
from providers.emulation import Emulator, ObjectStore
from providers.models import Asset, Delivery, Listing
from providers.secret import Secret


@dataclass
class ProviderBox:
    """One account over its emulator. `learn` is how its recordings come to be known (a list, events, deliveries)."""

    settings: AccountSettings
    secrets: dict[str, str]
    emulator: Emulator
    learn: Callable[[Provider], Awaitable[Listing]]
    stores: list[ObjectStore] = field(default_factory=list)
    deliveries: Callable[[], list[Delivery]] = list
    """Genuine deliveries as the service would make them now; empty where it sends none."""
    forged: Callable[[], list[Delivery]] = list
    """Deliveries that must be refused as not authentic."""
    content: Callable[[Asset], bytes] = lambda asset: b""
    """What fetching an asset that `learn` gave must bring."""

    def connect(self, secrets: dict[str, str] | None = None) -> Provider:
        """A client; by default with the right secrets."""
        held = self.secrets if secrets is None else secrets
        return registry.connect(self.settings, lambda name: Secret(held[name]) if name in held else None)


def settings_for(info: ProviderInfo, account: str, **options: object) -> AccountSettings:
    """An account's settings with the provider's defaults."""
    return AccountSettings(account, info.name, with_defaults(info, options), timeout_s=5.0)
