"""Mode 5, webhooks: the receiver, what came, where it is to come, what is registered for it, and what was missed."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from tui import hook_words as words
from tui.clipboard import send
from tui.commands import BY_ID, bindings, keys_of, spoken
from tui.context import Context
from tui.desk_words import count_words
from tui.history_sources import DeliverySource
from tui.hook_acts import HookActs
from tui.hook_book import HookBook
from tui.hook_panes import current_rows
from tui.hook_rows import AddressRow, MissedRow, address_columns, delivery_columns, missed_columns
from tui.hook_words import ADDRESSES, DELIVERIES, MISSED, VIEWS, Current
from tui.screens.base import sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.menu import MenuScreen
from tui.screens.ordering import SortsRows
from tui.screens.raw import RawScreen
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines
from tui.widgets.table import ListSource, Table
from vault.inbox.views import ReceiverView
from vault.views import DELIVERY_SORTS, DeliveryView, Sort

if TYPE_CHECKING:
    from vault.engine import Snapshot

WIDE = 100
"""From so many cells on, addresses and topics are written out in the lists."""
REPORTS_AFTER_S = 0.2
"""A cursor that only passes by asks the service nothing."""


class WebhooksScreen(SortsRows):
    """Three lists, one shown at a time, and the current line in full."""

    MODE = "webhooks"
    CSS_PATH = sheet("webhooks")
    BINDINGS: ClassVar[list[Binding]] = bindings("webhooks")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#deliveries"
    SORTS = DELIVERY_SORTS
    BY_TIME = "received"
    DID_THEN = "came"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._book = HookBook(context)
        self._acts = HookActs(context, self._book, self.say, self._fill)
        self._view = DELIVERIES
        self._account = ""
        """The only one that is listed; "" for all."""
        self._receiver = ReceiverView()
        self._trouble = ""
        """Why nothing can be processed."""
        self._told: Hashable = None

    def body(self) -> Iterable[Widget]:
        """The receiver, the names of the lists, one of them, the current line in full."""
        context = self.context

        def narrow() -> bool:
            return self.size.width < WIDE

        yield Vertical(
            Bar(id="receiver"),
            Bar(id="views"),
            Table(delivery_columns(context, narrow), id=DELIVERIES),
            Table(address_columns(context, narrow), id=ADDRESSES),
            Table(missed_columns(context), id=MISSED),
            Lines(id="about"),
            id="body",
        )

    def on_mount(self) -> None:
        """The deliveries first."""
        super().on_mount()
        for name in (ADDRESSES, MISSED):
            self.list_of(name).display = False

    def list_of(self, name: str) -> "Table[Any]":
        """One of the lists."""
        return self.query_one(f"#{name}", Table)

    @property
    def table(self) -> "Table[Any]":
        """The list that is shown."""
        return self.list_of(self._view)

    @property
    def current(self) -> Current:
        """What the cursor is on."""
        row: Current = self.table.current
        return row

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Deliveries and addresses."""
        self.see(self.context.engine.snapshot(), changed=True)
        self.attempt(self._read_addresses, "addresses", exclusive=True)

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """The receiver's line; deliveries when the ledger has changed, addresses when the receiver has moved."""
        before, self._receiver = self._receiver, snapshot.receiver
        if (before, self._trouble) != (snapshot.receiver, snapshot.trouble):
            self._trouble = snapshot.trouble
            self._head()
        if (before.state, before.address) != (snapshot.receiver.state, snapshot.receiver.address):
            self.attempt(self._read_addresses, "addresses", exclusive=True)
        if changed:
            self.list_again()

    def minute(self) -> None:
        """Ages."""
        self._tell()

    async def _read_addresses(self) -> None:
        await self._ask(self._book.read_addresses)
        self._ask_what_is_shown()

    def _ask_what_is_shown(self) -> None:
        """The services, when their answers are to be seen for the first time."""
        book = self._book
        if book.addresses is None:
            return
        if self._view == ADDRESSES and not book.asked_registered:
            self.attempt(lambda: self._ask(book.ask_registered), "registered", exclusive=True)
        elif self._view == MISSED and not book.asked_missed:
            self.attempt(lambda: self._ask(book.ask_missed), "missed", exclusive=True)

    async def _ask(self, ask: Callable[[], Awaitable[None]]) -> None:
        await ask()
        self._fill()

    def _fill(self) -> None:
        """Every list from what is known."""
        book = self._book
        self.list_again()
        addresses, missed = self.list_of(ADDRESSES), self.list_of(MISSED)
        addresses.empty = words.no_addresses(book.addresses, book.fault)
        addresses.show(ListSource(book.address_lines(self._account), lambda row: row.key))
        addresses.recolour()
        missed.empty = words.none_missed(book.addresses, book.asked_missed)
        missed.show(ListSource(book.missed_lines(self._account), lambda row: row.key))
        self._head()
        self._ask_reports()
        self._tell()

    @property
    def sorted_table(self) -> "Table[DeliveryView]":
        """The deliveries: of what else is listed there are few."""
        return self.list_of(DELIVERIES)

    def list_again(self, *, turned: bool = False) -> None:
        """The deliveries."""
        self.show_order()
        table = self.sorted_table
        table.empty = words.no_deliveries(self._book.addresses, self._account, self._receiver)
        table.show(DeliverySource(self.context.desk.lists, self._account, self.sorting.now), or_top=turned)

    async def nearest(self, since: datetime, until: datetime, by_time: Sort) -> tuple[Hashable, datetime | None] | None:
        """As they came in."""
        find, down = self.context.desk.lists.deliveries.nearest, by_time.descending
        span = (since.timestamp(), until.timestamp())
        view = await self.context.read(lambda: find(self._account, *span, descending=down))
        return None if view is None else (view.id, view.received_at)

    # Drawing -----------------------------------------------------------------------------------------------------

    def _head(self) -> None:
        glyphs, book = self.context.glyphs, self._book
        line = words.receiver_line(self._receiver, self._trouble, self.size.width, glyphs)
        self.query_one("#receiver", Bar).say(line)
        addresses = "" if book.addresses is None else str(len(book.addresses))
        deliveries = count_words(self.list_of(DELIVERIES).count)
        counts = {DELIVERIES: deliveries, ADDRESSES: addresses, MISSED: book.missed_count}
        self.query_one("#views", Bar).say(words.views_line(self._view, counts, self._account, glyphs))

    def on_resize(self) -> None:
        """The receiver's line says what fits."""
        super().on_resize()
        self.call_after_refresh(self._head)

    def _tell(self) -> None:
        row = self.current
        key = row.id if isinstance(row, DeliveryView) else row.key if row is not None else None
        identity = (self._view, key)
        top, self._told = identity != self._told, identity
        self.query_one("#about", Lines).show(
            lambda width: current_rows(row, self._book, self.context, width, self._key), top=top
        )
        self.refresh_keys()

    def _key(self, command: str) -> str:
        return spoken(keys_of(BY_ID[command], dict(self.app._keymap)).split(",")[0])

    # Moving ------------------------------------------------------------------------------------------------------

    def on_table_moved(self, event: "Table.Moved") -> None:
        """The current line in full; what belongs to it is read or asked beside."""
        self._head()
        if event.table is not self.table:
            return
        row = self.current
        if isinstance(row, DeliveryView) and self._book.payload(row) is None:
            self.attempt(lambda: self._read_payload(row), "payload", exclusive=True)
        self._ask_reports()
        self._tell()

    def on_table_counted(self) -> None:
        """How many there are."""
        self._head()

    def on_table_failed(self, event: "Table.Failed") -> None:
        """The ledger could not be read."""
        self.say(event.words, "bad")

    async def _read_payload(self, view: DeliveryView) -> None:
        await self._book.read_payload(view)
        self._tell()

    def _ask_reports(self) -> None:
        row = self.current
        if not isinstance(row, AddressRow) or row.subscription is None:
            return
        account, subscription = row.account, row.subscription.subscription
        if self._book.reports(account, subscription) is not None:
            return

        async def ask() -> None:
            await asyncio.sleep(REPORTS_AFTER_S)
            await self._book.ask_reports(account, subscription)
            self._tell()

        self.attempt(ask, "reports", exclusive=True)

    def on_table_opened(self) -> None:
        """The current line in full, to scroll it."""
        self.query_one("#about", Lines).focus()

    def focus_first(self) -> None:
        """The list."""
        self.table.focus()

    def do_back(self) -> None:
        """From the details to the list, to all accounts, to the desk."""
        if self.focused is not self.table:
            self.table.focus()
        elif self._account:
            self._only("")
        else:
            super().do_back()

    def _turn(self, by: int) -> None:
        names = list(VIEWS)
        self._view = names[(names.index(self._view) + by) % len(names)]
        for name in names:
            self.list_of(name).display = name == self._view
        self.table.focus()
        self._head()
        self._tell()
        self._ask_what_is_shown()

    def do_view_next(self) -> None:
        """The next list."""
        self._turn(1)

    def do_view_previous(self) -> None:
        """The list before."""
        self._turn(-1)

    def _step(self, by: int) -> None:
        names = ["", *self._book.accounts]
        place = names.index(self._account) if self._account in names else 0
        self._only(names[(place + by) % len(names)])

    def _only(self, account: str) -> None:
        self._account = account
        self._fill()

    def do_account_next(self) -> None:
        """The next account alone; after the last one all."""
        self._step(1)

    def do_account_previous(self) -> None:
        """The account before."""
        self._step(-1)

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Nothing to do without a line it is for."""
        if command.startswith("account."):
            return "" if len(self._book.accounts) > 1 else "no other account receives anything"
        if command.startswith("list.") and self._view != DELIVERIES:
            return "only deliveries are sorted and gone to by a day: tab goes to them"
        row = self.current
        payload = self._book.payload(row) if isinstance(row, DeliveryView) else ""
        return words.why_not_hook(command, row, self._book.addresses, payload) or super().why_not(command)

    def do_hook_receive(self) -> None:
        """On or off."""
        self.attempt(self._acts.switch, "receive")

    def do_hook_again(self) -> None:
        """Processed once more."""
        view = self.current
        if isinstance(view, DeliveryView):
            self.table.hold()
            self.attempt(lambda: self._again(view))

    async def _again(self, view: DeliveryView) -> None:
        await self._acts.again(view)
        self.list_again()

    def do_show_raw(self) -> None:
        """The payload, or the service's record of a registered webhook."""
        row = self.current
        if isinstance(row, DeliveryView):
            self.app.push_screen(RawScreen(f"{row.account}: {row.topic}", self._book.payload(row) or ""))
        elif isinstance(row, AddressRow) and row.subscription is not None:
            registered = row.subscription.subscription
            self.app.push_screen(RawScreen(f"As the service gave it: {registered.topic}", registered.raw))

    def do_hook_copy(self) -> None:
        """The payload, the asset's id, or the address as a whole, and that there is a secret in it."""
        row = self.current
        if isinstance(row, DeliveryView):
            self.say(send(self.app, self._book.payload(row) or "", "payload"))
        elif isinstance(row, MissedRow) and row.asset is not None:
            self.say(send(self.app, row.asset.identity, "asset id"))
        elif isinstance(row, AddressRow) and row.address.address is not None:
            bare = "secret" not in row.address.guard and not row.address.is_catchup
            what = "token" if row.address.is_catchup else "address"
            told = send(self.app, row.address.address.reveal(), what)
            self.say(told if bare else f"{told}: it holds a secret", "" if bare else "warn")

    def do_hook_refresh(self) -> None:
        """Everything again."""
        self.attempt(self._refresh, "refresh", exclusive=True)

    async def _refresh(self) -> None:
        self.list_again()
        await self._acts.refresh()

    # Asking first ------------------------------------------------------------------------------------------------

    def _asked(self, question: ConfirmScreen, work: Callable[[], Awaitable[None]], refused: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(work)
            else:
                self.say(refused)

        self.app.push_screen(question, answered)

    def do_hook_register(self) -> None:
        """Choose the topic, then ask."""
        row = self.current
        if not isinstance(row, AddressRow):
            return
        topics = self.context.desk.webhooks.topics(row.account)
        entries = [(str(number), "", topic) for number, topic in enumerate(topics, start=1)]
        note = "a digit or enter chooses, esc goes back"

        def chosen(topic: str | None) -> None:
            if topic:
                title = f"Register a webhook at {row.address.label}?"
                question = ConfirmScreen(title, words.register_lines(row.address, topic), "Register", no_first=False)
                self._asked(question, lambda: self._acts.register(row.address, topic), "nothing was registered")

        self.app.push_screen(MenuScreen("Register for which topic?", entries, note), chosen)

    def do_hook_delete(self) -> None:
        """Ask, then delete."""
        row = self.current
        if isinstance(row, AddressRow) and row.subscription is not None:
            registered = row.subscription.subscription
            question = ConfirmScreen(f"Delete this webhook at {row.address.label}?", words.delete_lines(row), "Delete")
            self._asked(question, lambda: self._acts.delete(row.account, registered), "nothing was deleted")

    def do_hook_rotate(self) -> None:
        """Ask, then make a new secret."""
        row = self.current
        if isinstance(row, AddressRow):
            lines = words.rotate_lines(row.address, self.context.desk.capabilities(row.account))
            question = ConfirmScreen(f"Make a new secret for {row.account}?", lines, "Rotate")
            self._asked(question, lambda: self._acts.rotate(row.account), "the secret stays as it is")
