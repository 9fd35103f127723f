"""The answers of an application server at `/callCatchUp`, letter by letter, for whoever has to give them.

Source: docs.proconf.live, "/callCatchUp" (page). Pure, and apart from the provider's client: the receiver serves it for
every account with `Capability.CATCHUP`.
"""

import json
import re

from providers.base import Refused
from providers.text import safe_text

PATH = "/callCatchUp"
QUERY = "roomName"
"""Page: `/callCatchUp/<room_name>`; its 400 text and its SDK sample have `?roomName=`."""
MEDIA_TYPE = "application/json"
MAX_ROOM = 128
MESSAGES = {
    400: "Room name required in query param.",
    401: "Unauthorized",
    404: "Not found",
    500: "Internal server error",
}

_ERROR_FIRST = frozenset({404, 500})
_SLASHES = re.compile(r"[/\\]")


def answer(text: str) -> bytes:
    """The body of 200: what is told of the call; "" where there is nothing to tell yet."""
    return _bytes({"error": None, "data": text})


def failure(status: int) -> bytes:
    """The body of 400, 401, 404 and 500, with its fields in the page's order. Raises KeyError for another status.

    404 stands for a wrong address and a wrong method alike (page). The page's own 400 is no JSON (`null,yes`): this is
    the valid form of it.
    """
    error = {"code": status, "message": MESSAGES[status]}
    return _bytes({"error": error, "data": None} if status in _ERROR_FIRST else {"data": None, "error": error})


def check_room(room: str) -> None:
    """Raise Refused, in words, for a name that cannot be a room's or would lead elsewhere at the service."""
    if not room.strip():
        raise Refused("a room needs a name")
    if len(room) > MAX_ROOM:
        raise Refused(f"a room's name has at most {MAX_ROOM} characters")
    if not room.isprintable():
        raise Refused("the room's name has characters that cannot be shown")
    # Some servers decode %2F before they route, so a dot segment is refused behind a slash too.
    if any(part in (".", "..") for part in _SLASHES.split(room)):
        raise Refused(f"{safe_text(room)!r} cannot be a room's name: it would lead to another address")


def _bytes(value: object) -> bytes:
    # A lone surrogate has no UTF-8: as an escape it is still JSON, and an answer rather than a fault.
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
