"""A list of archives, page by page.

No document mentions pages (unknown). assumption: what an answer states of its own paging (`next`, `totalPages`,
`total`, `page`, `pageSize`) is followed, and nothing is asked that no answer stated. A walk always ends.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

from msgspec import Struct

from providers.base import BadAnswer, NotTrusted
from providers.flexperto.record import EXPIRATION, listing_of
from providers.messages import Answer
from providers.models import Listing
from providers.origin import Origin
from providers.text import safe_text

MAX_PAGES = 5_000
_ENVELOPES = ("data", "rows", "items", "results")


class Page(Struct, frozen=True):
    """One answer of a list. Numbers are None where the answer does not state them."""

    listing: Listing
    archive_ids: frozenset[str]
    unreadable: int = 0
    """Records without a usable id."""
    following: object = None
    """`next` as stated: an address, a path or a page number."""
    number: int | None = None
    total_pages: int | None = None
    total: int | None = None
    page_size: int | None = None


def rows_of(body: object, own_name: str = "archives") -> tuple[list[Any], dict[str, Any]]:
    """The records of a bare array or of an object around one, and that object. Raises BadAnswer for anything else."""
    if isinstance(body, list):
        return body, {}
    for around in (body, body.get("data") if isinstance(body, dict) else None):
        if isinstance(around, dict):
            for key in (*_ENVELOPES, own_name):
                if isinstance(around.get(key), list):
                    return around[key], around
    raise BadAnswer("expected a JSON array, or an object with one under data, rows, items or results")


def read_page(answer: Answer, stay: timedelta = EXPIRATION) -> Page:
    """A list answer. Records that cannot be read are counted, so that one does not hide the others."""
    rows, around = rows_of(answer.json())
    listings: list[Listing] = []
    for row in rows:
        try:
            listings.append(listing_of(row, "listed by the service", stay=stay))
        except BadAnswer:
            continue
    return Page(
        Listing(tuple(m for one in listings for m in one.meetings), tuple(a for one in listings for a in one.assets)),
        frozenset(a.variant for one in listings for a in one.assets),
        len(rows) - len(listings),
        around.get("next"),
        _count(around.get("page")),
        _count(around.get("totalPages")),
        _count(around.get("total")),
        _count(around.get("pageSize")),
    )


class Walk:
    """Goes through a list: `after(page)` gives the address of the next page, or None at the end.

    `complaint` says at the end what was wrong with the list, "" when it was whole.
    """

    def __init__(self, first_url: str) -> None:
        self._first_url = first_url
        self._asked = {first_url}
        self._url = first_url
        self._ids: set[str] = set()
        self._unreadable = 0
        self._first_number = 1
        self._number = 1
        self._pages = 0
        self._broken = ""

    @property
    def complaint(self) -> str:
        """What was wrong with the list as a whole."""
        if self._broken:
            return self._broken
        if self._unreadable:
            return f"{self._unreadable} of {self._unreadable + len(self._ids)} records in the list have no usable id"
        return ""

    def after(self, page: Page) -> str | None:
        """The address of the page that follows. Raises NotTrusted when it is not at the service's own origin."""
        self._pages += 1
        if self._pages == 1 and page.number == 0:
            self._first_number = self._number = 0
        fresh = bool(page.archive_ids - self._ids)
        self._ids |= page.archive_ids
        self._unreadable += page.unreadable
        url = self._following(page)
        if url is None or not (page.archive_ids or page.unreadable):
            self._check_total(page)
            return None
        if not fresh:
            self._broken = "the list repeats itself: a further page brought nothing new"
        elif url in self._asked:
            self._broken = "the list repeats itself: its next page was there before"
        elif self._pages >= MAX_PAGES:
            self._broken = f"the list has more than {MAX_PAGES} pages"
        if self._broken:
            return None
        self._asked.add(url)
        self._url = url
        return url

    def _check_total(self, page: Page) -> None:
        known = len(self._ids) + self._unreadable
        if not self._broken and page.total is not None and known < page.total:
            self._broken = f"the service says it has {page.total} archives but lists {known}"

    def _following(self, page: Page) -> str | None:
        if page.following not in (None, "", False):
            return self._stated(page.following)
        more = False
        if page.total_pages is not None:
            more = self._number - self._first_number + 1 < page.total_pages
        elif page.total is not None:
            more = len(self._ids) + self._unreadable < page.total
        return self._numbered(self._number + 1, page.page_size) if more else None

    def _stated(self, following: object) -> str | None:
        if (number := _count(following)) is not None:
            return self._numbered(number, None)
        text = following if isinstance(following, str) else ""
        if not text.lower().startswith(("http://", "https://", "/", "?")):
            self._broken = f"the list goes on, but its next page is no address: {safe_text(following, 60)!r}"
            return None
        try:
            url = urljoin(self._url, text)
        except ValueError:
            url = ""
        if Origin.of(url) != Origin.of(self._first_url):
            raise NotTrusted("the list's next page is at another address than the service; it was not asked")
        return url

    def _numbered(self, number: int, page_size: int | None) -> str:
        self._number = number
        size = {"pageSize": page_size} if page_size else {}
        return f"{self._first_url}?{urlencode({'page': number, **size})}"


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None
