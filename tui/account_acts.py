"""What an account's form does with the desk: where its secrets lie, and saving it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from tui.account_form import AccountForm, Values
from tui.context import Context
from vault.secret_state import Knowledge, Source

if TYPE_CHECKING:
    from vault.desk import Desk

_GIVEN = (Source.ENVIRONMENT, Source.FILE, Source.SYSTEMD)
"""What a process was given when it was started."""


class Saved(Struct, frozen=True):
    """What was saved: the account, whether it is new, and where each of its typed secrets lies."""

    account: str
    new: bool
    lies: Mapping[str, str]


class AccountActs:
    """Over a context, for one form."""

    def __init__(self, context: Context, form: AccountForm) -> None:
        self._context = context
        self._form = form

    async def kept(self, values: Values) -> dict[str, str]:
        """The secrets that need not be typed: name to where it lies, or why that cannot be seen now.

        Of a new account those that this process was given; no store is asked for one that is not there yet.
        """
        account, desk = self._form.account(values), self._context.desk
        names = tuple(dict.fromkeys(field.name for field in self._form.info.secrets))
        if self._form.name:
            return await self._context.read(_looked_up, desk, account, names)
        states = {name: desk.secrets.state(account, name) for name in names} if account else {}
        return {name: state.words for name, state in states.items() if state.source in _GIVEN}

    async def save(self, values: Values, *, for_run: bool = False) -> Saved:
        """Write the account and keep its secrets. Raises SealedLocked, VaultError, ConfigError: nothing was written."""
        form, account = self._form, self._form.account(values)
        options, secrets = form.options(values), form.secrets(values)

        async def keep(desk: "Desk") -> dict[str, str]:
            if form.name:
                return await desk.managing.change(account, options, secrets, for_run=for_run)
            return await desk.managing.add(account, form.info.name, options, secrets, for_run=for_run)

        lies = await self._context.ask(keep)
        return Saved(account, not form.name, {name: self._told(account, name, where) for name, where in lies.items()})

    def _told(self, account: str, name: str, where: str) -> str:
        ahead = self._context.desk.secrets.outranking(account, name)
        return f"{where}, but {ahead} is read before it" if ahead else where


def _looked_up(desk: "Desk", account: str, names: tuple[str, ...]) -> dict[str, str]:
    """What cannot be looked for now (locked) counts as there: it is no reason to have it typed."""
    states = {name: desk.secrets.look(account, name) for name in names}
    return {name: state.brief for name, state in states.items() if state.knowledge is not Knowledge.NOT_SET}
