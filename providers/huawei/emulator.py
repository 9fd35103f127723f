"""A CC-Gateway in a box."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, cast

from msgspec import Struct, field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from providers.emulation import Clock, Emulator, file_response
from providers.huawei.emulated_calls import Call, Due, StoredFile

_STEP_S = 0.02
_FILE_TYPE = {"content-type": "application/octet-stream;charset=utf-8"}


class Online(Struct):
    """A signed-in agent. `former`: rotated Guids and until when each is still accepted."""

    guid: str
    guid_since: float
    seen_at: float
    former: dict[str, float] = field(default_factory=dict)
    rotations: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


class Seat(Struct):
    """An agent that exists. `types`: the agent types that it may sign in as."""

    password: str
    types: tuple[int, ...] = (4, 11)
    story: list[Due] = field(default_factory=list)
    online: Online | None = None


class HuaweiEmulator(Emulator):
    """The agent, event and recording interfaces of a CC-Gateway, as far as a download needs them.

    Documented: addresses, sign-in fields and answer (cec_07_1202), Set-GUID at sign-in and, on rotation only, in the
    answers to polls (cec_07_0005), one event a poll and a wait of 10 s (cec_07_1274), the forced sign-out after 120 s
    without a request (cec_05_4012), octet-stream for a file and JSON for a failure (cec_07_4217), the codes 000-002,
    000-003, 100-001, 100-002, 100-004, 100-006 and 100-012.
    assumption: failures come under HTTP 200 (`error_http_status`); an earlier Guid is good until `guid_timeout` after
    it was given; an unknown agent number is 100-004; events of calls wait until the agent signs in; files know no Range
    (`faults.ranges`); what 108-001 to 108-004 mean and say is invented; a running download is no request for the
    time-out.
    """

    def __init__(self, now: Clock = time.time) -> None:
        super().__init__(now)
        self.faults.ranges = False
        self.seats: dict[str, Seat] = {}
        self.files: dict[tuple[str, str, str], StoredFile] = {}
        self.authmode = 2
        """1: the Guid of the sign-in stays; 2: it rotates every `guid_interval` seconds."""
        self.guid_interval = 60.0
        self.guid_timeout = 120.0
        self.overlap = True
        """False: a Guid is refused as soon as it has rotated."""
        self.guid_header = "Set-GUID"
        """"Guid": the sign-in's Guid comes in the header that its table also lists."""
        self.poll_wait = 10.0
        self.maxtime = 120.0
        self.video_flag = True
        """VIDEO_DOWNLOAD_FLAG and IF_SUPPORT_VIDEO."""
        self.lb_cookie = True
        """A load balancer sets a cookie, and sends a request without it to a node that knows no session (000-003)."""
        self.error_http_status = 200
        self.error_media_type = "application/json;charset=UTF-8"
        self.message_key = "message"
        """"msg": as the developer guide prints it."""
        self.sign_out_refused = False
        """The agent talks: signing out does nothing (cec_07_1219)."""
        self.status_known = True
        """False: a gateway without the agentstatus interface."""
        self.replay_events = False
        """assumption, for demos: each sign-in finds all events of the story again."""
        self.poll_failures = 0
        """So many polls are answered with HTTP 503."""
        self.refuse_downloads = 0
        """So many downloads are answered with 000-003."""
        self.sign_ins: list[dict[str, Any]] = []
        """The bodies that came in, for tests."""
        self.log: list[str] = []
        """What happened, in order: sign-in, poll, event TYPE, download, downloaded, status, sign-out, kicked."""
        self.polls_in_downloads = 0
        self.most_polls_at_once = 0
        self._polling = 0
        self._downloading = 0

    def add_agent(self, agent: str, password: str, types: tuple[int, ...] = (4, 11)) -> None:
        """An agent that can sign in."""
        self.seats[agent] = Seat(password, types)

    def add_call(self, call: Call) -> Call:
        """A call, past or future by the emulator's clock: its events come when due, its files are there at its end."""
        seat = self.seats[call.agent]
        seat.story = sorted([*seat.story, *call.events()], key=lambda due: due.at)
        self.files.update(call.stored())
        return call

    def kick(self, agent: str) -> None:
        """Throw the agent out, as a forced sign-in elsewhere does; a waiting poll is told."""
        online = self.seats[agent].online
        if online is not None:
            content = {"loginTime": str(int(self.now() * 1000))}
            online.events.append(_event("AgentOther_ShutdownService", agent, content))
            online.ended = True
        self.seats[agent].online = None
        self.log.append("kicked")

    def routes(self) -> list[Route]:
        """Everything under /agentgateway/resource."""
        agent, files = "/agentgateway/resource/onlineagent/{agent}", "/agentgateway/resource/recordfile/{agent}"
        return [
            Route(agent, self._sign_in, methods=["PUT"]),
            Route(f"{agent}/forcelogin", self._force, methods=["PUT"]),
            Route(f"{agent}/logout", self._sign_out, methods=["DELETE"]),
            Route(f"{agent}/agentstatus", self._status, methods=["GET"]),
            Route("/agentgateway/resource/agentevent/{agent}", self._poll, methods=["GET"]),
            Route(f"{files}/videofiledownload", self._conference_file, methods=["GET"]),
            Route(f"{files}/videofiledownloadEx", self._path_file, methods=["GET"]),
            Route(files, self._path_file, methods=["GET"]),
        ]

    def _say(self, code: str, message: str = "", **fields: Any) -> Response:
        ok = code == "0"
        body = {self.message_key: message, "retcode": code} | ({} if ok else {"result": ""}) | fields
        text = json.dumps(body, ensure_ascii=False)
        encoded = text.encode("gbk" if "gbk" in self.error_media_type.lower() else "utf-8")
        kind = "application/json;charset=UTF-8" if ok else self.error_media_type
        answer = Response(encoded, 200 if ok else self.error_http_status)
        answer.headers["content-type"] = kind
        return answer

    async def _sign_in(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or "password" not in body or not body.get("phonenum"):
            return self._say("100-001", "sign-in parameter is empty")
        self.sign_ins.append(body)
        self.log.append("sign-in")
        agent = request.path_params["agent"]
        seat = self.seats.get(agent)
        if seat is None or body["password"] != seat.password:
            return self._say("100-004", "The user name or password is incorrect")
        if int(body.get("agenttype", 4)) not in seat.types:
            return self._say("100-012", "agent type error")
        self._expire(agent, seat)
        if seat.online is not None:
            return self._say("100-002", "the agent has logged in")
        return self._admit(agent, seat, body)

    def _admit(self, agent: str, seat: Seat, body: dict[str, Any]) -> Response:
        now = self.now()
        seat.online = Online(_new_guid(), now, now)
        if self.replay_events:
            for due in seat.story:
                due.taken = False
        state = "AgentState_Busy" if str(body.get("status", 4)) == "3" else "AgentState_Ready"
        seat.online.events = [_event(kind, agent, None) for kind in ("AgentOther_InService", state)]
        result = {
            "vdnid": 1,
            "workno": agent,
            "mediatype": "TTF",
            "loginTime": str(int(now * 1000)),
            "isForceChange": "false",
            "serverName": "AgentGateway",
            "timeRemaining": "9",
        }
        answer = self._say("0", result=result)
        prefix = "JSESSIONID=" if self.guid_header == "Set-GUID" else ""
        answer.headers[self.guid_header] = prefix + seat.online.guid
        if self.lb_cookie:
            answer.headers["Set-Cookie"] = "HWWAFSESID=node-0; Path=/; HttpOnly"
        return answer

    async def _force(self, request: Request) -> Response:
        self.log.append("forced sign-in")
        self.kick(request.path_params["agent"])
        return await self._sign_in(request)

    def _expire(self, agent: str, seat: Seat) -> None:
        if seat.online is not None and self.now() - seat.online.seen_at > self.maxtime:
            self.kick(agent)

    def _admitted(self, request: Request) -> Online | Response:
        """The agent's session, or the refusal."""
        agent = request.path_params["agent"]
        seat = self.seats.get(agent)
        if seat is not None:
            self._expire(agent, seat)
        if seat is None or seat.online is None:
            return self._say("100-006", "the agent does not login")
        online, now = seat.online, self.now()
        guid = request.headers.get("guid", "")
        current = guid == online.guid and (self.authmode == 1 or now - online.guid_since <= self.guid_timeout)
        other_node = self.lb_cookie and request.cookies.get("HWWAFSESID") != "node-0"
        if other_node or not (current or now < online.former.get(guid, 0.0)):
            return self._say("000-003", "no right to invite resource")
        online.seen_at = now
        return online

    async def _sign_out(self, request: Request) -> Response:
        online = self._admitted(request)
        if isinstance(online, Response):
            return online
        if self.sign_out_refused:
            return self._say("100-010", "the agent is talking")
        online.ended = True
        self.seats[request.path_params["agent"]].online = None
        self.log.append("sign-out")
        return self._say("0")

    async def _status(self, request: Request) -> Response:
        online = self._admitted(request)
        if isinstance(online, Response):
            return online
        self.log.append("status")
        if not self.status_known:
            return Response(status_code=404)
        return self._say("0", "success", result={"agentState": 3, "isWorking": False})

    async def _poll(self, request: Request) -> Response:
        if self.poll_failures > 0:
            self.poll_failures -= 1
            return Response("busy", 503)
        online = self._admitted(request)
        if isinstance(online, Response):
            return online
        self.log.append("poll")
        self._polling += 1
        self.most_polls_at_once = max(self.most_polls_at_once, self._polling)
        self.polls_in_downloads += self._downloading > 0
        try:
            event = await self._next_event(self.seats[request.path_params["agent"]], online)
        finally:
            self._polling -= 1
        online.seen_at = self.now()
        if event is not None:
            self.log.append(f"event {event['eventType']}")
        answer = self._say("0") if event is None else self._say("0", event=event)
        if self.authmode == 2 and self.now() - online.guid_since >= self.guid_interval:
            if self.overlap:
                online.former[online.guid] = online.guid_since + self.guid_timeout
            online.rotations += 1
            online.guid, online.guid_since = _new_guid(), self.now()
            answer.headers["Set-GUID"] = f"JSESSIONID={online.guid}"
        return answer

    async def _next_event(self, seat: Seat, online: Online) -> dict[str, Any] | None:
        until = time.monotonic() + self.poll_wait
        while True:
            if online.events:
                return online.events.pop(0)
            if online.ended:
                return None
            for due in seat.story:
                if not due.taken and due.at <= self.now():
                    due.taken = True
                    return dict(due.event)
            if time.monotonic() >= until:
                return None
            await asyncio.sleep(_STEP_S)

    async def _conference_file(self, request: Request) -> Response:
        online = self._admitted(request)
        if isinstance(online, Response):
            return online
        query = request.query_params
        conference, kind, record = query.get("conferenceId"), query.get("fileType"), query.get("recordId", "")
        if not conference or kind not in ("0", "1", "2"):
            return self._say("000-002", "URL parameter error")
        if not record:
            record = next((r for c, r, _ in self.files if c == conference), "")
        return self._file(request, (conference, record, kind))

    async def _path_file(self, request: Request) -> Response:
        online = self._admitted(request)
        if isinstance(online, Response):
            return online
        path = request.query_params.get("recordId")
        if not path:
            return self._say("000-002", "URL parameter error")
        return self._file(request, ("", "", path))

    def _file(self, request: Request, key: tuple[str, str, str]) -> Response:
        if self.refuse_downloads > 0:
            self.refuse_downloads -= 1
            return self._say("000-003", "no right to invite resource")
        if not self.video_flag:
            return self._say("108-001", "invented: the download of video files is not enabled")
        conference, record, _ = key
        if not any((c, r) == (conference, record) for c, r, _ in self.files):
            return self._say("108-002", "invented: no such recording")
        file = self.files.get(key)
        if file is None:
            return self._say("108-003", "invented: the recording has no such file")
        if file.ready_at > self.now():
            return self._say("108-004", "invented: the recording has not ended")
        self.log.append("download")
        answer = cast(StreamingResponse, file_response(request, file.blob, self.faults, dict(_FILE_TYPE)))
        if isinstance(answer, StreamingResponse):
            answer.body_iterator = self._counted(cast(AsyncIterator[bytes], answer.body_iterator))
        return answer

    async def _counted(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._downloading += 1
        try:
            async for chunk in body:
                yield chunk
            self.log.append("downloaded")
        finally:
            self._downloading -= 1


def _new_guid() -> str:
    return f"{secrets.token_hex(4)}-{secrets.token_hex(8)}.AgentGateway0"


def _event(kind: str, agent: str, content: dict[str, Any] | None) -> dict[str, Any]:
    return {"content": content, "eventType": kind, "workNo": agent}
