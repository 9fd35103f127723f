"""What lists ask beside their pages: counts, what a search looks through, saved views; and the index filled behind."""

from vault.ledger import Ledger
from vault.views import Count, Coverage, Query, SavedView


class Searching:
    """Usable from any thread. All calls block, for milliseconds where nothing else is said."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def counted_at_once(self, query: Query) -> Count | None:
        """How many meetings fit a query, where that is known in milliseconds; None: it is to be counted."""
        return self._ledger.reader.counted_at_once(query)

    def counted(self, query: Query) -> Count:
        """How many meetings fit a query, as far as that is soon known. Raises Superseded as `interrupt` says."""
        return self._ledger.reader.counted(query)

    def count_exactly(self, query: Query) -> int:
        """How many meetings fit a query: a second for a common word among a million. Raises Superseded."""
        return self._ledger.reader.count_exactly(query)

    def interrupt(self) -> None:
        """Whatever reads lists in other threads ends with Superseded; what is asked after this is not touched."""
        self._ledger.reader.interrupt()

    def coverage(self) -> Coverage:
        """What a search looks through: for a search that found nothing."""
        return self._ledger.index.coverage()

    def index_some(self) -> bool:
        """Take a little more into the search index; whether there is more to do. Holds the ledger for some 30 ms."""
        index = self._ledger.index
        if index.fill():
            return True
        unread = index.unread()
        if unread is None:
            return False
        from vault import transcripts

        index.say(unread, transcripts.text_of(unread.path, unread.extension))
        return True

    def views(self) -> tuple[SavedView, ...]:
        """The queries that were kept, by name."""
        return self._ledger.views.all()

    def save_view(self, view: SavedView) -> None:
        """Keep a query under a name; another one of that name is replaced."""
        self._ledger.views.save(view)

    def forget_view(self, name: str) -> None:
        """Keep it no longer."""
        self._ledger.views.forget(name)
