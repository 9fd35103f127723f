"""ProCONF in a box: catch-ups of running calls, as the admin backend and as an application server at once.

Documented (page "/callCatchUp"): `/api/call-catchup/ROOM` of the admin backend, `/callCatchUp/ROOM` of the application
server (and `?roomName=` in its 400 text), the envelope {error, data}, and the errors 400, 401, 404 and 500 as the page
prints them. Documented elsewhere: `/meetings` in both layers.

assumption: that the HTTP status equals `error.code`; what a room gives that has no running call (`unknown_room`); that
a token comes as `Authorization: Bearer`; that room names are case-sensitive; that the paths lie on one origin; and the
`shape` that servers copied from the page's sample would give. An attribute changes each.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.emulation import Clock, Emulator

Shape = Literal["string", "null", "object", "array", "double"]
_WORDS = {
    400: "Room name required in query param.",
    401: "Unauthorized",
    404: "Not found",
    500: "Internal server error",
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class ProconfEmulator(Emulator):
    """The admin backend under `/api` and the application server beside it."""

    def __init__(self, now: Clock = time.time) -> None:
        self.token: str | None = None
        """None: nobody is asked for one."""
        self.header, self.scheme = "Authorization", "Bearer "
        self.shape: Shape = "string"
        self.unknown_room: Literal["null", "empty", "not-found"] = "null"
        self.errors_under_200 = False
        self.failing_rooms: dict[str, int] = {}
        """Rooms that are answered with an error, to its code."""
        self._scripts: dict[str, list[tuple[float, str]]] = {}
        super().__init__(now)

    def routes(self) -> list[Route]:
        """Both layers; everything else is the 404 of the page."""
        return [
            Route("/api/call-catchup/{room:path}", self._in_path, methods=["GET"]),
            Route("/callCatchUp/{room:path}", self._in_path, methods=["GET"]),
            Route("/callCatchUp", self._in_query, methods=["GET"]),
            Route("/api/meetings", self._meetings, methods=["GET"]),
            Route("/meetings", self._meetings, methods=["GET"]),
            Route("/{path:path}", self._elsewhere, methods=_METHODS),
        ]

    def script(self, room: str, lines: Sequence[tuple[float, str]]) -> None:
        """Give a room a call that begins now: each line is told from so many seconds on, below those before it."""
        began = self.now()
        self._scripts[room] = [(began + at_s, text) for at_s, text in lines]

    def text_of(self, room: str) -> str | None:
        """What is told of a room by now; None where no call is running."""
        if room not in self._scripts:
            return None
        return "\n".join(text for at, text in self._scripts[room] if at <= self.now())

    def body_of(self, room: str) -> bytes:
        """The exact bytes of a room's answer by now."""
        return _bytes({"error": None, "data": self._data(room)})

    def _data(self, room: str) -> Any:
        text = self.text_of(room)
        if text is None:
            return "" if self.unknown_room == "empty" else None
        shapes: dict[Shape, Any] = {
            "string": text,
            "null": None,
            "object": {"summary": text, "lines": len(text.splitlines())},
            "array": text.splitlines(),
            "double": {"error": None, "data": text},
        }
        return shapes[self.shape]

    def _error(self, code: int) -> Response:
        error = {"code": code, "message": _WORDS.get(code, "Error")}
        # The page's own order, which is not the same for all.
        body = {"error": error, "data": None} if code in (404, 500) else {"data": None, "error": error}
        return Response(_bytes(body), 200 if self.errors_under_200 else code, media_type="application/json")

    def _refusal(self, request: Request) -> Response | None:
        if self.token is None or request.headers.get(self.header) == self.scheme + self.token:
            return None
        return self._error(401)

    async def _in_path(self, request: Request) -> Response:
        return self._answer(request, request.path_params["room"], 404)

    async def _in_query(self, request: Request) -> Response:
        return self._answer(request, request.query_params.get("roomName", ""), 400)

    def _answer(self, request: Request, room: str, unnamed: int) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if not room:
            return self._error(unnamed)
        if room in self.failing_rooms:
            return self._error(self.failing_rooms[room])
        if room not in self._scripts and self.unknown_room == "not-found":
            return self._error(404)
        return Response(self.body_of(room), media_type="application/json")

    async def _meetings(self, request: Request) -> Response:
        refusal = self._refusal(request)
        return refusal or Response(_bytes({"error": None, "data": []}), media_type="application/json")

    async def _elsewhere(self, request: Request) -> Response:
        return self._error(404)


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
