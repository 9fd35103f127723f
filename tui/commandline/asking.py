"""Credentials come from a hidden prompt or from stdin; never from an argument, which everybody here can read."""

import getpass
import sys

from providers import registry
from providers.base import AccountSettings, SecretField
from providers.secret import InvalidSecret, Secret
from tui.commandline.session import Usage

_MAX = 64 * 1024


def hidden(prompt: str) -> str:
    """What is typed without being shown, or piped in."""
    return prompted(prompt).strip() if sys.stdin.isatty() else sys.stdin.read(_MAX).strip()


def prompted(prompt: str) -> str:
    """What is typed on the terminal without being shown, as it is; "" at the end of the input."""
    try:
        return getpass.getpass(prompt, stream=sys.stderr)
    except EOFError:
        return ""


def secret_fields(settings: AccountSettings) -> list[SecretField]:
    """The secrets that an account has, configured as it is."""
    declared = registry.info(settings.provider).secrets
    return [field for field in declared if field.when is None or settings.options[field.when[0]] == field.when[1]]


def secret(text: str) -> Secret:
    """The text as a credential. Raises Usage where it cannot be one."""
    try:
        return Secret(text)
    except InvalidSecret as fault:
        raise Usage(str(fault)) from None
