"""What works of an account and what does not, step by step and in words, and what to do about it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from providers import registry
from providers.base import (
    AccountSettings,
    BadAnswer,
    Forbidden,
    MissingSecret,
    NotFound,
    ProviderError,
    RateLimited,
    SecretField,
    ServiceDown,
    Unauthorized,
)
from providers.declaring import applies
from providers.origin import Origin
from providers.steps import USUAL, Checked, Limits, Outcome, Step
from vault.connections import Connections
from vault.errors import VaultError
from vault.next_steps import lacking_words, to_set_right
from vault.secret_state import Knowledge
from vault.secrets import Secrets

if TYPE_CHECKING:
    from providers.address import Resolve
    from providers.probing import Probe

CONFIGURATION, SECRETS, CREDENTIAL = "configuration", "secrets", "credential"
RIGHTS, REST, CLOCK = "rights", "rest", "clock"


class Testing:
    """Tests accounts with the clients that the desk uses, on the event loop of `connections`.

    The credential is sent by the provider's own `check` alone. `resolve` gives the addresses of names, by default the
    system's resolver.
    """

    def __init__(
        self,
        connections: Connections,
        secrets: Secrets,
        now: Callable[[], datetime],
        limits: Limits = USUAL,
        resolve: "Resolve | None" = None,
    ) -> None:
        self._connections = connections
        self._secrets = secrets
        self._now = now
        self._limits = limits
        self._resolve = resolve
        self._asking: set[asyncio.Task[str]] = set()

    async def test(self, account: str, on_step: Callable[[Step], None] | None = None) -> tuple[Step, ...]:
        """All steps in order; `on_step` is told of each as it ends. Raises VaultError for a name that is no account.

        What makes no sense after what failed is "not checked". With an end for every step, whatever hangs.
        """
        settings = self._connections.account(account).settings
        steps: list[Step] = []
        async for step in self._steps(account, settings):
            steps.append(step)
            if on_step:
                on_step(step)
        return tuple(steps)

    async def _steps(self, account: str, settings: AccountSettings) -> AsyncIterator[Step]:
        last, probe = await self._configuration(account, settings)
        yield last
        if probe:
            async for last in probe.way():
                yield last
        blocked = last.name if last.outcome is Outcome.FAILED else ""
        there = await self._secrets_there(account, settings)
        yield there
        if blocked or there.outcome is Outcome.FAILED:
            yield _left_out(CREDENTIAL, blocked or there.name)
        else:
            for step in await self._credential(account, settings):
                yield step
        yield _left_out(CLOCK, blocked) if blocked or not probe else await probe.clock()

    async def _configuration(self, account: str, settings: AccountSettings) -> "tuple[Step, Probe | None]":
        """What is used of config.toml, and what looks at the way there; None when it cannot be used."""
        from providers import probing, tls  # here, since they bring HTTP and certificates along
        from providers.address import look_up

        info = registry.info(settings.provider)
        try:
            self._connections.client(account)  # which refuses what it could not use
            address = info.address(settings.options)
            origin = Origin.of(address)
            if origin is None:
                raise VaultError("base_url is no http(s) address")
            if origin.scheme == "http" and not origin.is_loopback:
                raise VaultError("base_url must begin with https:// (http:// is accepted for this machine only)")
            through = f"through the proxy {probing.proxy_in_words(settings.proxy)}" if settings.proxy else "no proxy"
            await asyncio.to_thread(tls.context_of, settings, verify=settings.verify)
        except (ProviderError, VaultError) as error:
            words = f"{error.words}; see [accounts.{account}] in the configuration"
            return Step(CONFIGURATION, Outcome.FAILED, words), None
        judged = f"judged by {probing.authorities_in_words(settings)}" if settings.verify else "verify = false"
        tls_words = f"; {judged}" if origin.scheme == "https" else ""
        words = f"{info.label} at {address}; {through}{tls_words}; time-out {settings.timeout_s:g} s"
        resolve = self._resolve or look_up
        return (
            Step(CONFIGURATION, Outcome.PASSED, words),
            probing.Probe(settings, origin, self._now, self._limits, resolve),
        )

    async def _secrets_there(self, account: str, settings: AccountSettings) -> Step:
        """Whether each secret is there and where it comes from, never what it is."""
        wanted = _wanted(settings)
        words, failed = [], False
        needed = {field.one_of for field in wanted if field.one_of}
        try:
            async with asyncio.timeout(self._limits.secrets_s):
                for field in wanted:
                    said, missing = await self._secret_there(account, field)
                    words.append(said)
                    failed = failed or missing
                    if self._secrets.known(account, field.name):
                        needed.discard(field.one_of)
            if needed:
                words.append(self._one_needed(account, [field.name for field in wanted if field.one_of in needed]))
                failed = True
        except TimeoutError:
            words.append(f"looking for them took longer than {self._limits.secrets_s:g} s")
            failed = True
        return Step(
            SECRETS, Outcome.FAILED if failed else Outcome.PASSED, "; ".join(words) or "this account needs none"
        )

    async def _secret_there(self, account: str, field: SecretField) -> tuple[str, bool]:
        """Words about one secret, and whether it is one that the test cannot do without."""
        if self._secrets.known(account, field.name) is None:
            self._secrets.forget(account, field.name)  # it may have been set meanwhile, by another process
        state = await asyncio.to_thread(self._secrets.look, account, field.name)
        if state.knowledge is Knowledge.UNUSABLE:
            return state.words, True
        if state.is_found or field.one_of or not field.required:
            is_optional = not (state.is_found or field.one_of)
            return f"{field.name}: {state.words}" + (" (optional)" if is_optional else ""), False
        return lacking_words(state, account, field.name), True

    def _one_needed(self, account: str, names: list[str]) -> str:
        """Words about secrets of which none was found, and one is enough."""
        states = [self._secrets.state(account, name) for name in names]
        if any(state.knowledge is Knowledge.NOT_KNOWN for state in states):
            return "one of them is needed"
        return f"one of them is needed: {MissingSecret(account, names[0]).words}"

    async def _credential(self, account: str, settings: AccountSettings) -> tuple[Step, ...]:
        """What the service says to the credential, by the provider's own check."""
        # Not cancelled at the deadline: a sign-in that is cut off could leave a seat taken. It ends by the account's
        # own time-outs.
        asking = asyncio.create_task(self._ask(account))
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        done, _ = await asyncio.wait({asking}, timeout=self._limits.credential_s)
        if not done:
            words = f"the service gave no whole answer in {self._limits.credential_s:g} s; try again later"
            return (Step(CREDENTIAL, Outcome.FAILED, words),)
        try:
            said = asking.result()
        except Forbidden as error:
            return (
                Step(CREDENTIAL, Outcome.PASSED, "the service knows it: what it refuses is the right"),
                Step(RIGHTS, Outcome.FAILED, error.words),
            )
        except (ProviderError, VaultError) as error:
            return (Step(CREDENTIAL, Outcome.FAILED, error.words + self._advice(error, account, settings)),)
        checked = said if isinstance(said, Checked) else Checked(said)
        steps = (
            Step(CREDENTIAL, Outcome.PASSED, checked.works),
            Step(RIGHTS, Outcome.PASSED, checked.rights),
            Step(REST, Outcome.NOT_CHECKED, checked.unchecked),
        )
        return tuple(step for step in steps if step.words)

    async def _ask(self, account: str) -> str:
        return await (await self._connections.connect(account)).check()

    def _advice(self, error: ProviderError | VaultError, account: str, settings: AccountSettings) -> str:
        """A next step where the words name none; a secret is set right in the place that it is read from."""
        if isinstance(error, Unauthorized):
            wanted = [field.name for field in _wanted(settings)]
            used = [error.name] if error.name else [name for name in wanted if self._secrets.known(account, name)]
            name = next(iter(used or wanted), "")
            return f"; {to_set_right(account, name, self._secrets.outranking(account, name))}" if name else ""
        if isinstance(error, NotFound | BadAnswer) and "base_url" not in error.words:
            return "; is base_url right?"
        if isinstance(error, ServiceDown | RateLimited):
            wait = f" in {error.retry_after_s:.0f} s" if error.retry_after_s else " later"
            return f"; the credential was not judged: try again{wait}"
        return ""

    def _asked(self, asking: asyncio.Task[str]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever waited has it


def _left_out(name: str, because: str) -> Step:
    return Step(name, Outcome.NOT_CHECKED, f"the service was not asked: see {because}")


def _wanted(settings: AccountSettings) -> list[SecretField]:
    info = registry.info(settings.provider)
    return [field for field in info.secrets if applies(field, settings.options, info.options)]
