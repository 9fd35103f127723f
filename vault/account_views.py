"""An account as people see it: what is configured, and what the ledger knows of it."""

from providers import registry
from providers.models import Capability
from vault.config import AccountConfig
from vault.ledger import Ledger
from vault.secrets import Secrets
from vault.views import AccountView


def account_view(account: AccountConfig, ledger: Ledger, secrets: Secrets) -> AccountView:
    """One of the configured accounts. Blocks, briefly."""
    settings, name = account.settings, account.name
    info = registry.info(settings.provider)
    counts = ledger.reader.account(name)
    options = settings.options
    wanted = [f for f in info.secrets if f.when is None or options.get(f.when[0]) == f.when[1]]
    return AccountView(
        name=name,
        provider=info.name,
        label=info.label,
        capabilities=info.capabilities,
        address=str(options.get("base_url") or options.get("data_center") or ""),
        meetings=counts.meetings,
        assets=counts.assets,
        held=counts.held,
        at_risk=counts.at_risk,
        faults=counts.faults,
        synced_at=counts.synced_at,
        error=counts.error,
        secrets={field.name: secrets.state(name, field.name) for field in wanted},
        found_by=info.found_by,
        verify=settings.verify,
        held_until=counts.held_until,
        held_words=counts.held_words,
        asked=Capability.LIST in info.capabilities or bool(options.get("watch")),
    )
