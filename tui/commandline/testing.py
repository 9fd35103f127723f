"""`account test`: what works of an account and what does not, a line for each step."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from providers import registry
from providers.steps import Outcome, Step, has_failed
from tui.commandline.arguments import check_accounts
from tui.commandline.output import Output
from tui.commandline.session import attempt, each, on_loop
from tui.commandline.unlocking import unlocking
from tui.commandline.wrapping import beside, fail_once, terminal_width
from vault.options import UNCHECKED

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

AT_ONCE = 4
_NAME, _OUTCOME = len("configuration"), len(Outcome.NOT_CHECKED)


def run(args: argparse.Namespace, out: Output) -> int:
    """Test the accounts; every step that failed is named."""

    async def test(desk: "Desk") -> int:
        check_accounts(desk, args.accounts)
        named = list(dict.fromkeys(args.accounts or desk.config.accounts))
        return await _Tests(desk, named, out, as_json=args.json).run()

    return on_loop(args.environ, test, unlocking(args, out))


class _Tests:
    """Tests of several accounts at once, printed one after the other; of a single one, each step as it ends."""

    def __init__(self, desk: "Desk", named: list[str], out: Output, *, as_json: bool) -> None:
        self._desk = desk
        self._named = named
        self._out = out
        self._as_json = as_json
        self._width = terminal_width()
        self._at_once = len(named) == 1 and not as_json
        self._ended: dict[str, tuple[Step, ...]] = {}
        self._printed = 0

    async def run(self) -> int:
        if not self._named:
            self._out.note(
                f"no account is configured in {self._desk.config.path}; `reeldesk account add NAME` adds one"
            )
        await each(self._named, AT_ONCE, self._test)
        return self._out.status

    async def _test(self, account: str) -> None:
        if self._at_once:
            self._head(account)
        else:
            left = [name for name in self._named if name not in self._ended]
            self._out.progress(f"testing {', '.join(left)}")
        steps = await attempt(self._out, account, self._desk.test(account, self._step if self._at_once else None))
        self._ended[account] = steps or ()
        while self._printed < len(self._named) and (name := self._named[self._printed]) in self._ended:
            self._printed += 1
            self._print(name)

    def _print(self, account: str) -> None:
        """What was found, in the order of the accounts, whichever ended first."""
        steps = self._ended[account]
        if self._as_json:
            self._out.record(self._record(account, steps))
        elif not self._at_once:
            self._head(account)
            for step in steps:
                self._step(step)
        for step in steps:
            if step.outcome is Outcome.FAILED:
                fail = self._out.fail if self._as_json else partial(fail_once, self._out)
                fail(account, f"{step.name}: {step.words}")
        self._out.flush()

    def _head(self, account: str) -> None:
        badge = "" if self._desk.config.accounts[account].settings.verify else f"  [{UNCHECKED}]"
        self._out.line(f"{account}{badge}")

    def _step(self, step: Step) -> None:
        self._out.line(beside(f"  {step.name:{_NAME}}  {step.outcome:{_OUTCOME}}  ", step.words, self._width))
        self._out.flush()

    def _record(self, account: str, steps: tuple[Step, ...]) -> dict[str, object]:
        settings = self._desk.config.accounts[account].settings
        return {
            "account": account,
            "provider": settings.provider,
            "label": registry.info(settings.provider).label,
            "verify": settings.verify,
            "works": bool(steps) and not has_failed(steps),
            "steps": [{"name": step.name, "outcome": str(step.outcome), "words": step.words} for step in steps],
        }
