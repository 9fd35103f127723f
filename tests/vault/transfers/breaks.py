"""Two accounts over emulators of their own, and what is to be seen of their breaks."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.transfers import running
from tests.vault.transfers.running import view
from tests.vault.world import World, until
from vault.desk import Desk
from vault.ledger.claiming import Claims, Hold, Terms
from vault.transfers.queue import Queue
from vault.transfers.retrying import Rhythm
from vault.views import AccountView

LONG = timedelta(hours=6).total_seconds()


class TwoAccounts(World):
    """`advice` and `rooms`, each at an emulator of its own."""

    other: FlexpertoEmulator

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "REELDESK_SECRET_ROOMS_API_KEY": self.other.api_key}


def two_accounts(net: Loopback, folder: Path) -> TwoAccounts:
    emulator, other = FlexpertoEmulator(), FlexpertoEmulator()
    for each in (emulator, other):
        net.serve(each)
    made = TwoAccounts(folder, emulator, rhythm=Rhythm(beat_s=0.03, backoff_s=0.02, busy_s=0.05))
    made.other = other
    made.options = f"""[accounts.rooms]\nprovider = "flexperto"\nbase_url = "{other.base_url}"\npoll_s = 0"""
    return made


def working(queue: Queue, patience_s: float = LONG) -> AbstractAsyncContextManager[Queue]:
    """A queue that runs meanwhile, patiently, and is stopped."""
    return running.working(queue, patience_s=patience_s)


async def learn_other(it: TwoAccounts, desk: Desk, name: str) -> AssetId:
    it.other.add_archive(name, blob=stored_zip(50_000, 99))
    await desk.sync("rooms")
    return AssetId.parse(f"rooms/conference-{name}/archive.{name}")


def account(desk: Desk, name: str = "advice") -> AccountView:
    return next(each for each in desk.accounts() if each.name == name)


def hold(desk: Desk, scope: str = "advice") -> Hold | None:
    return desk._ledger.claims.holds().get(scope)


def asked(it: TwoAccounts) -> int:
    return len(it.downloads()) + len(it.other.faults.seen)


def asked_more_than(it: TwoAccounts, times: int) -> bool:
    return asked(it) > times


def are(desk: Desk, state: str, *identities: AssetId) -> bool:
    return all(view(desk, identity).state == state for identity in identities)


def lasts_s(it: World, desk: Desk, scope: str = "advice") -> float:
    """How long a break still is."""
    found = hold(desk, scope)
    assert found is not None
    return found.until - it.clock().timestamp()


async def rounds(queue: Queue, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a queue look into the ledger a few times."""
    looks: list[float] = []
    with monkeypatch.context() as patch:
        is_due = Claims.is_due

        def count(self: Claims, terms: Terms, now: float) -> bool:
            looks.append(now)
            return is_due(self, terms, now)

        patch.setattr(Claims, "is_due", count)
        queue.nudge()
        await until(lambda: len(looks) >= 4)


def got_to(desk: Desk, level: int) -> bool:
    found = hold(desk)
    return found is not None and found.level == level
