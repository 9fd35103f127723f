"""What to do next, in words, where an account's credential is missing or not accepted."""

from providers.base import Forbidden, MissingSecret, ProviderError, Unauthorized
from vault.errors import VaultError
from vault.given import variable
from vault.secret_state import Knowledge, SecretState


def lacking_words(state: SecretState, account: str, name: str) -> str:
    """A needed secret that was not found, and how to have it: one that may be there already is not to be set anew."""
    if state.knowledge is Knowledge.NOT_KNOWN:
        return f"{name}: {unknown_words(state, account, name)}"
    reason = "; ".join(state.reasons)
    return MissingSecret(account, name).words + (f" ({reason})" if reason else "")


def unknown_words(state: SecretState, account: str, name: str) -> str:
    """A needed secret of which nobody knows whether it is there, and what helps."""
    return state.words if state.locked else f"{state.words}; {variable(account, name)} can give it instead"


def to_set_right(account: str, name: str, ahead: str) -> str:
    """How another value is given to a secret; `ahead`: what is read before the stores, in words ("": nothing)."""
    if ahead:
        return f"{name} comes from {ahead}: set the right one there"
    return f"set the right one with `reeldesk secret set {account} {name}`"


def refusal_words(error: ProviderError | VaultError, account: str) -> str:
    """A fault in words; where the service refuses credential or right, with what tells more."""
    if isinstance(error, Unauthorized | Forbidden):
        return f"{error.words}; `reeldesk account test {account}` tells more"
    return error.words
