"""Asking a service about its webhooks: what it says back never brings a secret part of an address into words."""

import re
from collections.abc import Awaitable
from typing import TypeVar

from providers.base import BadAnswer, NotFound, Provider, ProviderError, Refused
from providers.models import Subscription
from providers.secret import Secret

_T = TypeVar("_T")
_NOT_LISTED = (NotFound, Refused, BadAnswer)
"""What a service answers that has no list of its webhooks: no document promises one."""
_SECRET_PART = re.compile(r"(/hooks\\?/[a-z0-9-]+\\?/)[^\s\"'<>]+")


def without(words: str, *tokens: Secret | None) -> str:
    """Words with what is secret taken out: services repeat what they were sent, whole or cut short."""
    for token in tokens:
        if token is not None:
            words = words.replace(token.reveal(), "…")
    return _SECRET_PART.sub(r"\1…", words)


async def hushed(call: Awaitable[_T], *tokens: Secret | None) -> _T:
    """What a call to a service gives; none of the secrets is in the words of what it raises."""
    try:
        return await call
    except ProviderError as error:
        error.words = without(error.words, *tokens)
        error.args = (error.words,)
        raise


async def listed(client: Provider, *tokens: Secret | None) -> tuple[Subscription, ...] | None:
    """The webhooks registered at the service; None where it does not tell. Raises ProviderError."""
    try:
        return await hushed(client.subscriptions(), *tokens)
    except _NOT_LISTED:
        return None
