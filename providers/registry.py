"""The providers by name. A new one is a new folder plus one line here.

Each folder's `__init__` has `INFO` (light, no HTTP library) and `connect(settings, secrets) -> Provider`.
"""

from importlib import import_module

from providers.base import AccountSettings, Provider, ProviderInfo, SecretSource

_FOLDERS = {
    "cronofy": "providers.cronofy",
    "temasys": "providers.temasys",
    "huawei": "providers.huawei",
    "flexperto": "providers.flexperto",
    "proconf": "providers.proconf",
}


def names() -> tuple[str, ...]:
    """Every provider's name, in a fixed order."""
    return tuple(_FOLDERS)


def info(name: str) -> ProviderInfo:
    """What a provider declares of itself. Raises KeyError for a name that is none."""
    declared: ProviderInfo = import_module(_FOLDERS[name]).INFO
    return declared


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet."""
    provider: Provider = import_module(_FOLDERS[settings.provider]).connect(settings, secrets)
    return provider
