"""What mode 5 does: switch the receiver, process again, register, delete, rotate, ask anew. Each says what came."""

from collections.abc import Awaitable, Callable

from providers.models import Subscription
from tui import label
from tui.acts import Say
from tui.context import Context
from tui.hook_book import HookBook
from vault.inbox.views import AddressView, ReceiverState
from vault.views import DeliveryView


class HookActs:
    """The actions over what mode 5 knows; `say(words, ink)` tells a person, `fill` draws what is known then."""

    def __init__(self, context: Context, book: HookBook, say: Say, fill: Callable[[], None]) -> None:
        self._context = context
        self._book = book
        self._say = say
        self._fill = fill

    async def switch(self) -> None:
        """The receiver on or off; what keeps it off comes as words."""
        engine = self._context.engine
        on = engine.snapshot().receiver.state not in (ReceiverState.ON, ReceiverState.STARTING)
        self._say(
            "switching the receiver on" if on else "switching the receiver off: what is being answered is answered",
            "info",
        )
        words = await self._context.ask(lambda desk: engine.receive(on))
        failed = on and words.startswith("webhooks are not received")
        self._say(words, "bad" if failed else "good" if on else "")

    async def again(self, view: DeliveryView) -> None:
        """A delivery once more."""
        if await self._context.read(self._context.desk.webhooks.replay, view.id):
            self._say("processed once more: its outcome shows in a moment", "")
        else:
            self._say("it is no longer kept as it came", "warn")

    async def register(self, address: AddressView, topic: str) -> None:
        """Our address at the service, for a topic."""
        self._say(f"registering at {address.label}", "info")
        made = await self._context.ask(lambda desk: desk.webhooks.subscribing.register(address.account, topic))
        self._say(f"registered for {made.subscription.topic or topic}", "good")
        await self._anew(self._book.ask_registered)

    async def delete(self, account: str, registered: Subscription) -> None:
        """A registered webhook away."""
        self._say(f"deleting the webhook of {account}", "info")
        words = await self._context.ask(lambda desk: desk.webhooks.subscribing.unsubscribe(account, registered))
        self._say(words, "good")
        await self._anew(self._book.ask_registered)

    async def rotate(self, account: str) -> None:
        """A new secret; its steps are kept to be shown."""
        self._say(f"making a new secret for {account}", "info")
        rotation = await self._context.ask(lambda desk: desk.webhooks.subscribing.rotate(account))
        self._book.rotated[account] = rotation
        steps = label.count(len(rotation.steps), "step")
        if rotation.address is not None:
            self._say(f"{account} has a new secret; {steps} told below", "good")
        else:
            self._say(f"{account} keeps its secret; {steps} told below", "warn")
        await self._anew(self._book.read_addresses)
        await self._anew(self._book.ask_registered)

    async def refresh(self) -> None:
        """Addresses, registrations, reports and misses."""
        self._say("asking the services", "info")
        book = self._book
        book.rotated.clear()
        await self._anew(book.read_addresses)
        await self._anew(book.ask_registered)
        await self._anew(book.ask_missed)
        silent = dict.fromkeys(
            name for known in (book.registered, book.missed) for name, each in known.items() if isinstance(each, str)
        )
        if book.fault:
            self._say(book.fault, "bad")
        elif silent:
            self._say(f"asked; not everything is known of {', '.join(silent)}", "warn")
        else:
            self._say("asked just now", "good")

    async def _anew(self, ask: Callable[[], Awaitable[None]]) -> None:
        await ask()
        self._fill()
