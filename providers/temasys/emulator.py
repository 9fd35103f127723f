"""Temasys in a box: the notification settings of its users, and the callbacks of recordings that were mixed.

Documented (page "Recording Notification API call"): the path and its three methods, the flat shape that is sent and
the nested one that is read, status 1 / 0 / -1, that an update needs existing settings, that the S3 trio is all or
none, that GET leaves out an empty `url` and missing `s3Settings` and shows the S3 secret in clear, and a callback's
eight fields. Documented elsewhere (article 12000004631): a login API that sets a session cookie.

assumption: all else, each with an attribute that changes it: the login's path and fields, the HTTP status and the
`content` of a failure, what GET says when nothing is set, what POST does when something is, whether PUT replaces or
merges, how a callback is encoded, what it takes for an answer (2xx within 10 s), and that it is tried once.
"""

import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from providers.emulation import Blob, Clock, ObjectStore, mp4_blob
from providers.models import Delivery
from providers.sending import Attempts, Parcel, SendingEmulator

COOKIE = "skylink_session"
_TRIO = ("s3Arn", "s3AccessKeyId", "s3SecretAccessKey")


class Recording(Struct, frozen=True):
    """A recording that was mixed. Times in unix seconds."""

    room: str
    meeting_id: str
    key: str
    """Of the object in the store."""
    blob: Blob
    started_at: float
    ended_at: float
    mixed_at: float
    participants: int


class TemasysEmulator(SendingEmulator):
    """The REST API on one origin; recordings lie in `store`, to be served on another."""

    def __init__(self, now: Clock = time.time, store: ObjectStore | None = None) -> None:
        self.auth: Literal["login", "header", "none"] = "login"
        """login: a session cookie is wanted (also one that was handed out by `session_cookie`)."""
        self.username, self.password = "temasys", "open-sesame"
        self.header, self.header_value = "Authorization", "Token skylink"
        self.login_path = "/rest/login"
        self.app_key = "9f1d3c2e-app-key"
        self.failure_http_status = 200
        """The HTTP status that goes with status 0 and -1."""
        self.failure_content: Literal["text", "object", "missing"] = "text"
        self.nothing_set: Literal["text", "missing", "empty"] = "text"
        """What GET says before anything is set: status 0 with words, status 0 without, or status 1 without data."""
        self.mask_secret = False
        self.merge_put = False
        self.post_replaces = False
        self.refusal = ""
        """POST and PUT fail with these words."""
        self.bare_saves = False
        """POST and PUT say only that it worked."""
        self.delivery_encoding: Literal["json", "form"] = "json"
        self.delivery_milliseconds = False
        self.attempts = Attempts(timeout_s=10.0)
        """How callbacks are tried."""
        self.settings: dict[str, dict[str, Any]] = {}
        """What is set, user to the flat shape."""
        self.recordings: list[Recording] = []
        self.store = store or ObjectStore(now)
        self._sessions: set[str] = set()
        self._due: list[Recording] = []
        super().__init__(now)

    def routes(self) -> list[Route]:
        """The login and the settings."""
        path = "/rest/recording/notifications"
        return [
            Route(path, self._get, methods=["GET"]),
            Route(path, self._save, methods=["POST", "PUT"]),
            Route("/{path:path}", self._login, methods=["POST"]),
        ]

    # Sessions

    def session_cookie(self) -> str:
        """A session as its cookie, `name=value`."""
        token = secrets.token_urlsafe(16)
        self._sessions.add(token)
        return f"{COOKIE}={token}"

    def end_sessions(self) -> None:
        """Every session runs out."""
        self._sessions.clear()

    async def _login(self, request: Request) -> Response:
        if request.url.path != self.login_path:
            return Response("Not Found", 404, media_type="text/plain")
        body = _object(await request.body())
        if body.get("username") != self.username or body.get("password") != self.password:
            return self._failure(-1, "wrong user name or password")
        cookie = f"{self.session_cookie()}; Path=/; HttpOnly"
        return JSONResponse({"status": 1, "content": {}}, headers={"set-cookie": cookie})

    def _is_signed_in(self, request: Request) -> bool:
        if self.auth == "login":
            return request.cookies.get(COOKIE) in self._sessions
        return self.auth == "none" or hmac.compare_digest(
            request.headers.get(self.header, "").encode(), self.header_value.encode()
        )

    # Settings

    async def _get(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            return self._failure(-1, "not authorized")
        return self._shown()

    async def _save(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            return self._failure(-1, "not authorized")
        body = _object(await request.body())
        before, exists = self.settings.get(self.username, {}), self.username in self.settings
        wrong = self.refusal or _wrong_with(body)
        if wrong:
            return self._failure(0, wrong)
        if request.method == "PUT" and not exists:
            return self._failure(0, "no existing notification to update")
        if request.method == "POST" and exists and not self.post_replaces:
            return self._failure(0, "a notification exists already")
        merged = {**before, **body} if request.method == "PUT" and self.merge_put else body
        self.settings[self.username] = merged
        return JSONResponse({"status": 1}) if self.bare_saves else self._shown()

    def _shown(self) -> Response:
        flat = self.settings.get(self.username)
        if flat is None:
            return self._nothing()
        emails = flat.get("email", "").replace(";", ",").replace(" ", ",").split(",")
        data: dict[str, Any] = {
            "username": self.username,
            "notify": bool(flat.get("notify")),
            "email": [email for email in emails if email],
        }
        if flat.get("url"):
            data["url"] = flat["url"]
        if flat.get("s3Arn"):
            data["s3Settings"] = {name: flat[name] for name in _TRIO}
            if self.mask_secret:
                data["s3Settings"]["s3SecretAccessKey"] = "*" * 16
        return JSONResponse({"status": 1, "content": {"data": data}})

    def _nothing(self) -> Response:
        if self.nothing_set == "empty":
            return JSONResponse({"status": 1, "content": {"data": {}}})
        if self.nothing_set == "missing":
            return JSONResponse({"status": 0}, self.failure_http_status)
        return self._failure(0, "no notification settings found")

    def _failure(self, status: int, words: str) -> Response:
        shapes: dict[str, dict[str, Any]] = {
            "text": {"content": words},
            "object": {"content": {"message": words}},
            "missing": {},
        }
        return JSONResponse({"status": status, **shapes[self.failure_content]}, self.failure_http_status)

    # Recordings

    @property
    def callback_url(self) -> str:
        """Where callbacks go; "" when notifications are off or no address is set."""
        flat = self.settings.get(self.username, {})
        return str(flat.get("url", "")) if flat.get("notify") else ""

    def record(
        self,
        room: str,
        *,
        blob: Blob | None = None,
        length_s: float = 660.0,
        participants: int = 3,
        mixed_in_s: float = 0.0,
    ) -> Recording:
        """A call that ended now and is mixed `mixed_in_s` later: then `due_deliveries` gives its callback."""
        ended, number = self.now(), len(self.recordings) + 1
        recording = Recording(
            room=room,
            meeting_id=f"mtg-{number:04d}",
            key=f"recordings/mtg-{number:04d}.mp4",
            blob=blob or mp4_blob(48_000 + number, number),
            started_at=ended - length_s,
            ended_at=ended,
            mixed_at=ended + mixed_in_s,
            participants=participants,
        )
        self.store.put(recording.key, recording.blob)
        self.recordings.append(recording)
        self._due.append(recording)
        return recording

    def finish_recording(self, room: str, *, blob: Blob | None = None, participants: int = 3) -> Delivery:
        """A call that ended and was mixed just now, as its callback."""
        recording = self.record(room, blob=blob, participants=participants)
        self._due.remove(recording)
        return self.delivery(recording)

    def due_deliveries(self) -> list[Delivery]:
        """Callbacks of what is mixed by now, each once. Whoever runs the emulator delivers them."""
        return [self.delivery(recording) for recording in self._mixed()]

    def due_parcels(self) -> list[Parcel]:
        """The same for the address in the settings; nothing while notifications are off or no address is set."""
        url = self.callback_url
        return [Parcel(url, self.delivery(recording), self.attempts) for recording in self._mixed() if url]

    def _mixed(self) -> list[Recording]:
        due = [recording for recording in self._due if recording.mixed_at <= self.now()]
        self._due = [recording for recording in self._due if recording not in due]
        return sorted(due, key=lambda recording: recording.mixed_at)

    def delivery(self, recording: Recording, **other: Any) -> Delivery:
        """The callback of a recording, its link presigned anew; `other` replaces or adds fields."""
        fields: dict[str, Any] = {
            "meetingId": recording.meeting_id,
            "apiKey": self.app_key,
            "unixTime": int(recording.mixed_at * (1000 if self.delivery_milliseconds else 1)),
            "roomId": recording.room,
            "participants": recording.participants,
            "startTime": _utc(recording.started_at),
            "endTime": _utc(recording.ended_at),
            "retrievalUrl": self.store.presign(recording.key),
            **other,
        }
        if self.delivery_encoding == "form":
            return Delivery({"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())
        return Delivery({"content-type": "application/json"}, json.dumps(fields).encode())


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _wrong_with(body: dict[str, Any]) -> str:
    """What the page does not allow in what is sent; "" when all is well."""
    if body.get("notify") not in (True, False):  # 1 and 0 are equal to them
        return "notify must be true, false, 1 or 0"
    if any(not isinstance(body.get(name, ""), str) for name in ("url", "email", *_TRIO)):
        return "url, email and the S3 fields must be strings"
    if body.get("url") and not body["url"].startswith(("http://", "https://")):
        return "url must begin with http:// or https://"
    if len({bool(body.get(name)) for name in _TRIO}) == 2:
        return "s3Arn, s3AccessKeyId and s3SecretAccessKey are required together"
    if set(body) - {"notify", "url", "email", *_TRIO}:
        return "unknown parameter"
    return ""
