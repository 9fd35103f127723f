"""Transfers as the vault tells them, state by state, for what the desk makes of them."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from providers.models import AssetId
from tests.tui.stage import NOW, StageEngine
from vault.views import AccountView, TransferState, TransferView

S = TransferState
SOON = NOW + timedelta(seconds=40)
DOWN = "the service answers HTTP 503"
VIDEO, AUDIO = AssetId.parse("agents/agents-001/video"), AssetId.parse("agents/agents-001/audio")
WAITING = {"words": DOWN, "again_at": SOON, "attempts": 2}


def view(state: TransferState, **more: Any) -> TransferView:
    """A transfer that has 45 % of its bytes."""
    plain = TransferView(
        asset=VIDEO,
        title="Onboarding: second session 1",
        state=state,
        received=141_000_000,
        total=310_000_000,
        rate=8_400_000.0 if state is S.RUNNING else None,
        eta_s=20.0 if state is S.RUNNING else None,
        attempts=1,
        words="",
        owner="desk:1" if state is S.RUNNING else "",
    )
    return replace(plain, **more)


def account(engine: StageEngine, **more: Any) -> AccountView:
    """The account `advice`, changed."""
    return replace(next(each for each in engine.desk.accounts() if each.name == "advice"), **more)
