"""What `doctor` asks stores and services: each account's secrets and what works of it, within a few seconds."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from providers import registry
from providers.declaring import lacking
from providers.steps import Limits, Outcome, Step
from tui.commandline.asking import secret_fields
from tui.commandline.finding import Finding, State
from vault.config import AccountConfig, Config
from vault.connections import Connections
from vault.errors import VaultError
from vault.next_steps import unknown_words
from vault.secret_state import Knowledge, SecretState
from vault.secrets import Secrets

if TYPE_CHECKING:
    from vault.desk import Desk

_LIMITS = Limits(name_s=3.0, connection_s=3.0, tls_s=3.0, secrets_s=6.0, credential_s=6.0, clock_s=2.0)
_GOODBYE_S = 1.0
"""For signing out where an account was being tested."""
_CLOCK = "clock"


class Checkup:
    """Looks at stores, secrets and accounts on a thread of its own, which is left behind when something hangs.

    `offline`: no service is asked. `desk`: over the ledger, if there is one, with the same secrets.
    """

    def __init__(self, config: Config, secrets: Secrets, desk: "Desk | None", *, offline: bool) -> None:
        self._config = config
        self._secrets = secrets
        self._desk = desk
        self._offline = offline
        self._steps: dict[str, list[Step]] = {name: [] for name in config.accounts}
        self._found: dict[str, list[Finding]] = {}
        self._tested: set[str] = set()
        self._webhooks: list[Finding] | None = None
        self._stop: Callable[[], object] = lambda: None

    def run(self, within_s: float) -> list[Finding]:
        """What was found; what did not end in time is told as that."""
        thread = threading.Thread(target=self._work, name="checkup", daemon=True)
        thread.start()
        try:
            thread.join(within_s)
            return [*self._accounts(within_s), *self._clock(), *self._receiving(within_s)]
        finally:
            if thread.is_alive():
                self._secrets.close()
                self._stop()
                thread.join(_GOODBYE_S)

    def _work(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._all())

    async def _all(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        connections = Connections(self._config, self._secrets, lambda account, listing: None)
        self._stop = lambda: loop.call_soon_threadsafe(task.cancel) if task else None
        try:
            await asyncio.gather(*(self._account(connections, each) for each in self._config.accounts.values()))
            if self._desk:
                self._webhooks = await _webhooks(self._desk)
        finally:
            await connections.aclose()

    async def _account(self, connections: Connections, account: AccountConfig) -> None:
        from vault.testing import Testing

        if not self._offline:
            testing = Testing(connections, self._secrets, lambda: datetime.now(UTC), _LIMITS)
            await testing.test(account.name, self._steps[account.name].append)
        self._tested.add(account.name)
        self._found[account.name] = await asyncio.to_thread(lambda: list(self._secrets_of(account)))

    def _secrets_of(self, account: AccountConfig) -> Iterator[Finding]:
        settings = account.settings
        fields = secret_fields(settings)
        states = {field.name: self._secrets.look(account.name, field.name) for field in fields}
        info = registry.info(settings.provider)
        missing = lacking(info, settings.options, lambda name: self._secrets.known(account.name, name) is not None)
        for field in fields:
            yield _secret(account.name, field.name, states[field.name], is_needed=field.name in missing)

    # What came of it

    def _accounts(self, within_s: float) -> Iterator[Finding]:
        late = f"did not end in {within_s:.0f} s"
        for name, account in self._config.accounts.items():
            if not account.settings.verify:
                yield Finding(name, "warning", "verify = false: the TLS certificate is not checked", name)
            yield self._test(name, late)
            if name in self._found:
                yield from self._found[name]
            else:
                yield Finding(f"{name} secrets", "warning", f"looking for them {late}", name)

    def _test(self, name: str, late: str) -> Finding:
        steps = tuple(self._steps[name])
        more: Mapping[str, object] = {
            "steps": [{"name": each.name, "outcome": str(each.outcome), "words": each.words} for each in steps]
        }
        subject = f"{name} test"
        if self._offline:
            return Finding(subject, "ok", "not tested (--offline)", name, "not tested", more)
        failed = [step for step in steps if step.outcome is Outcome.FAILED]
        warnings = [step for step in steps if step.outcome is Outcome.WARNING and step.name != _CLOCK]
        told = "; ".join(f"{step.name}: {step.words}" for step in failed)
        if [step.name for step in failed] == ["secrets"] and name in self._found:  # which are told for themselves
            return Finding(subject, "warning", "the service was not asked, since a secret is missing", name, None, more)
        if failed:
            return Finding(subject, "problem", told, name, None, more)
        if name not in self._tested:
            last = f" after {steps[-1].name}" if steps else ""
            return Finding(subject, "problem", f"{late}{last}", name, None, more)
        words = "; ".join(step.words for step in steps if step.name in ("credential", "rights"))
        state: State = "ok"
        unverified = not self._config.accounts[name].settings.verify
        if warnings and not (unverified and [step.name for step in warnings] == ["TLS"]):  # which is told already
            state, words = "warning", "; ".join(f"{step.name}: {step.words}" for step in warnings)
        return Finding(subject, state, words, name, "works", more)

    def _clock(self) -> Iterator[Finding]:
        """This machine's clock beside what the services say."""
        told = {name: step for name, steps in self._steps.items() for step in steps if step.name == _CLOCK}
        off = {name: step for name, step in told.items() if step.outcome is Outcome.WARNING}
        agrees = [name for name, step in told.items() if step.outcome is Outcome.PASSED]
        here = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if off:
            words = "; ".join(f"{name}: {step.words}" for name, step in off.items())
            yield Finding(_CLOCK, "warning", f"{here}; {words}")
        elif agrees:
            yield Finding(_CLOCK, "ok", f"{here}, as the services say ({', '.join(agrees)})")
        else:
            yield Finding(_CLOCK, "ok", f"{here}; no service told its time")

    def _receiving(self, within_s: float) -> Iterator[Finding]:
        if self._webhooks is not None:
            yield from self._webhooks
        elif self._desk:
            yield Finding(
                "webhooks", "warning", f"looking for their addresses did not end in {within_s:.0f} s", "receiver"
            )


def _secret(account: str, name: str, state: SecretState, *, is_needed: bool) -> Finding:
    """A secret that may lie where nobody could look is no reason to set it; one that is locked away is told."""
    subject = f"{account} {name}"
    if state.is_found:
        return Finding(subject, "ok", state.words, account, f"{name}: {state.source}", {"source": str(state.source)})
    if state.knowledge is Knowledge.NOT_KNOWN:
        if is_needed:
            return Finding(subject, "problem", unknown_words(state, account, name), account)
        if state.locked:
            return Finding(subject, "warning", state.words, account)
        return Finding(subject, "ok", f"{state.words}; not needed", account, f"{name}: {state.knowledge}")
    if state.knowledge is Knowledge.UNUSABLE:
        return Finding(subject, "problem", state.words, account)
    if is_needed:
        return Finding(subject, "problem", f"{state.words}: `reeldesk secret set {account} {name}`", account)
    return Finding(subject, "ok", "not set; not needed", account, "")


async def _webhooks(desk: "Desk") -> list[Finding]:
    """The addresses to register, every part of a secret masked."""
    found = []
    try:
        for view in await desk.webhooks.addresses():
            state: State = "warning" if view.problem and desk.config.receiver.on else "ok"
            said = view.problem or f"{_masked(view.shown)} ({_masked(view.guard)})"
            found.append(Finding(f"{view.account} webhooks", state, said, "receiver", ""))
    except VaultError as fault:
        found.append(Finding("webhooks", "problem", fault.words, "receiver"))
    return found


def _masked(text: str) -> str:
    """Also the beginning of a token, which mode 5 shows to tell two apart."""
    return " ".join(
        "/".join("…" if part.endswith("…") else part for part in word.split("/")) for word in text.split(" ")
    )
