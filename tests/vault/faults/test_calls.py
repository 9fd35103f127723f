"""What is asked beside files: every fault ends in words, keeps the credential at home, and is noted."""

from pathlib import Path

import pytest

from providers.base import ProviderError
from tests.vault.faults.declared_calls import CALLS, CallFault
from tests.vault.faults.run import check_words
from tests.vault.faults.services import FLEXPERTO, PROCONF, SERVICES, TEMASYS, make_service
from tests.vault.faults.stage import Stage
from vault.desk import Desk


async def ask(desk: Desk, service: str) -> object:
    """The call that the table names."""
    [account] = [view.name for view in desk.accounts()]
    if service == FLEXPERTO:
        return await desk.sync(account)
    if service == TEMASYS:
        return await desk.notifications(account)
    if service == PROCONF:
        return await desk.catchup(account, "town-hall")
    return await (await desk._connections.connect(account)).check()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", CALLS, ids=lambda fault: fault.name)
async def test_a_call(fault: CallFault, service: str, folder: Path) -> None:
    made = make_service(service)
    made.is_file = lambda path: False
    async with Stage(made, "", folder, timeout_s=fault.timeout_s) as stage:
        stage.armed, stage.api.call_spoil = True, fault.spoil
        ended, words = "", ""
        try:
            await ask(stage.desk, service)
        except ProviderError as error:
            ended, words = type(error).__name__, error.words
            check_words(stage, words)
        assert ended == fault.kind(service), words
        assert fault.says in words
        if service in (FLEXPERTO, PROCONF):
            await is_noted(stage)
        assert stage.leaks() == []


async def is_noted(stage: Stage) -> None:
    """A sync says of the account, or of the room, why it failed."""
    told = ""
    try:
        await stage.desk.sync(stage.service.account)
    except ProviderError as error:
        told = error.words
    [account] = stage.desk.accounts()
    asset = stage.desk.asset(stage.service.identity)
    assert account.error == told
    assert told or (asset is not None and asset.error)
