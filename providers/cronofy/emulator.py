"""Cronofy Meeting Agents in a box: the API, and the webhooks that it would send.

Documented: POST and DELETE /v1/meeting_agents, both shapes of the create response, the statuses 200, 202, 401, 402,
403, 404, 422, the 422 body, the notification's shape with its HMAC (one for each active client secret), and the
resource answer: 302 with Location and a JSON body. There is no list of agents and no call to read one.

assumption: resource addresses are `/v1/meeting_agents/SUB/resources/CATEGORY/TYPE`; the presigned links are those of
`ObjectStore`; bodies of 401, 402, 403 and 404 are empty; the key is judged before the body; cancelling an unknown key
is accepted; scheduling a key again replaces the order; a failed agent has the state `failed` and keeps its dashboard
alone; `meeting_agent_activated` comes when the agent starts.

Where webhooks go: to the `uri` of each of an agent's `subscriptions[]`, for the interactions named there (doc), and
assumption: to `webhook_url`, the application's address, for agents of calendar events, and for agents without
subscriptions unless `notify_all` is off. An answer with 2xx within 7 s is delivered, anything else is tried again
(doc, of event triggers; assumption: agents' webhooks are the same, and how often they are tried).
"""

import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from providers.cronofy.webhook import sign
from providers.emulation import Blob, Clock, ObjectStore, file_response, mp4_blob
from providers.models import Delivery
from providers.sending import Attempts, Parcel, SendingEmulator

ACTIVATED, COMPLETE, FAILED = "meeting_agent_activated", "meeting_agent_complete", "meeting_agent_failed"
FILES = (("transcript", "cronofy"), ("audio", "voice"), ("video", "conference"))
API_KEY = "CRN_emulated0key0of0cronofy"


class Agent(Struct):
    """An agent and its life: times in unix seconds, `done_at` None for one that is ended by hand."""

    sub: str
    event: dict[str, Any] | None
    starts_at: float
    done_at: float | None
    fails: bool = False
    subscribed: bool = True
    hooks: tuple[tuple[str, frozenset[str]], ...] = ()
    """Addresses from the order's subscriptions, each with its interactions."""
    state: str = "created"
    files: dict[tuple[str, str], Blob] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


class CronofyEmulator(SendingEmulator):
    """The API. `store` holds the files and must be served on an origin of its own."""

    def __init__(self, store: ObjectStore, api_key: str = API_KEY, now: Clock = time.time) -> None:
        self.store = store
        self.api_key = api_key
        self.other_secrets: tuple[str, ...] = ()
        """Further active client secrets; webhooks are signed with each, these first."""
        self.plan_has_agents = True
        """False: 402."""
        self.agents_enabled = True
        """False: 403 (the feature must be toggled on for an application)."""
        self.require_attendee = False
        """True: an order without `on_behalf_of_attendee` is refused (newer doc)."""
        self.wrapped = True
        """False: the create response without its `meeting_agent` wrapper (older doc)."""
        self.send_location = True
        self.send_download_url = True
        self.serve_directly = False
        """True: resources answer 200 with the file."""
        self.resource_base = ""
        """Where resource addresses point instead of here; a foreign one must not be sent the key."""
        self.dashboard_base = "https://app.cronofy.example/meeting_agents"
        self.webhook_url = ""
        """The application's address for webhooks; "": it has none."""
        self.attempts = Attempts(timeout_s=7.0, times=3, first_pause_s=0.5)
        """How webhooks are tried."""
        self.notify_all = True
        self.meeting_s = 60.0
        """How long an agent ordered through the API stays until it completes."""
        self.agents: dict[str, Agent] = {}
        self.scheduled: dict[str, tuple[float, dict[str, Any]]] = {}
        """Orders by scheduling key: the time to join in unix seconds, and the order."""
        self.orders: list[dict[str, Any]] = []
        """Bodies of the orders that were accepted."""
        super().__init__(now)

    def routes(self) -> list[Route]:
        """The API of meeting agents."""
        return [
            Route("/v1/meeting_agents", self._create, methods=["POST"]),
            Route("/v1/meeting_agents", self._cancel, methods=["DELETE"]),
            Route("/v1/meeting_agents/{sub}/resources/{category}/{type}", self._resource, methods=["GET"]),
        ]

    # What a test or the demo does.

    def add_agent(
        self,
        title: str | None = None,
        *,
        sub: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        completes_after_s: float | None = None,
        fails_after_s: float | None = None,
    ) -> str:
        """An agent that starts now, and its `sub`. Without a title it has no calendar event."""
        sub = sub or f"agt_{0x692702A100CCD07 + len(self.agents):015x}{len(self.agents):09d}"
        after = completes_after_s if fails_after_s is None else fails_after_s
        now = self.now()
        agent = Agent(sub, None, now, None if after is None else now + after, fails_after_s is not None)
        if title is not None:
            agent.event = _event(sub, title, start or datetime.fromtimestamp(now, UTC), end)
        self.agents[sub] = agent
        return sub

    def complete(
        self,
        sub: str,
        *,
        transcript: Mapping[str, Any] | None = None,
        audio: Blob | None = None,
        video: Blob | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        """The agent has left; its files are there, those of the categories in `without` excepted."""
        agent = self.agents[sub]
        text = json.dumps(transcript or example_transcript(sub), ensure_ascii=False).encode()
        seed = len(self.agents)
        blobs = (
            Blob.of(text, "application/json"),
            audio or mp4_blob(40_000, seed, "audio/mp4"),
            video or mp4_blob(250_000, seed),
        )
        for pair, blob in zip(FILES, blobs, strict=True):
            if pair[0] not in without:
                agent.files[pair] = blob
                self.store.put(object_key(sub, *pair), blob)
        agent.state = "complete"

    def fail(self, sub: str) -> None:
        """The agent failed."""
        self.agents[sub].state = "failed"

    def resources(self, sub: str, complete: bool) -> list[dict[str, str]]:
        """The `resources` of an agent; before completion the dashboard alone."""
        base = self.resource_base or self.base_url
        found = [{"category": "cronofy", "type": "dashboard", "url": f"{self.dashboard_base}/{sub}"}]
        for category, kind in self.agents[sub].files if complete else ():
            url = f"{base}/v1/meeting_agents/{sub}/resources/{category}/{kind}"
            found.append({"category": category, "type": kind, "url": url})
        return found

    def payload(self, sub: str, interaction: str) -> dict[str, Any]:
        """A notification's body. The activated agent's state is `created`."""
        states = {COMPLETE: "complete", FAILED: "failed"}
        body: dict[str, Any] = {
            "notification": {"type": "event_subscription", "interactions": [{"type": interaction}]},
            "meeting_agent": {
                "sub": sub,
                "state": states.get(interaction, "created"),
                "resources": self.resources(sub, interaction == COMPLETE),
            },
        }
        event = self.agents[sub].event
        return body if event is None else {**body, "event": event}

    def signed(self, payload: Any) -> Delivery:
        """A delivery of any body, signed as Cronofy signs."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        signatures = ",".join(sign(body, secret) for secret in (*self.other_secrets, self.api_key))
        return Delivery(
            {"content-type": "application/json; charset=utf-8", "cronofy-hmac-sha256": signatures},
            body,
        )

    def deliveries(self, sub: str, interaction: str) -> list[Delivery]:
        """A webhook, as many times as `copies` says; the same bytes each time."""
        return [self.signed(self.payload(sub, interaction))] * self.copies

    def due_deliveries(self) -> list[Delivery]:
        """What became due since the last call, by the clock: agents start, complete and fail."""
        found = [(agent, told) for agent, told in self._due() if agent.subscribed or self.notify_all]
        if self.newest_first:
            found.reverse()
        return [delivery for agent, told in found for delivery in self.deliveries(agent.sub, told)]

    def due_parcels(self) -> list[Parcel]:
        """The same, each with an address that is told of it."""
        return [
            Parcel(url, self.signed(self.payload(agent.sub, interaction)), self.attempts)
            for agent, interaction in self._due()
            for url in self._told(agent, interaction)
        ]

    def _told(self, agent: Agent, interaction: str) -> list[str]:
        urls = [uri for uri, interactions in agent.hooks if interaction in interactions]
        applies = agent.event is not None or (self.notify_all and not agent.hooks)
        return [*urls, self.webhook_url] if applies and self.webhook_url else urls

    def _due(self) -> list[tuple[Agent, str]]:
        """Interactions that nobody was told of yet, oldest first."""
        self._advance()
        found: list[tuple[float, Agent, str]] = []
        for agent in self.agents.values():
            ending = {"complete": COMPLETE, "failed": FAILED}.get(agent.state)
            ended_at = agent.starts_at if agent.done_at is None else agent.done_at
            for at, interaction in ((agent.starts_at, ACTIVATED), (ended_at, ending)):
                if interaction and interaction not in agent.told:
                    agent.told.add(interaction)
                    found.append((at, agent, interaction))
        found.sort(key=lambda item: item[0])
        return [(agent, interaction) for _, agent, interaction in found]

    def _advance(self) -> None:
        now = self.now()
        for key, (join_at, order) in list(self.scheduled.items()):
            if join_at <= now:
                del self.scheduled[key]
                self._start(order, join_at)
        for agent in self.agents.values():
            if agent.state == "created" and agent.done_at is not None and agent.done_at <= now:
                if agent.fails:
                    self.fail(agent.sub)
                else:
                    self.complete(agent.sub)

    # What the API does.

    def _start(self, order: dict[str, Any], at: float) -> Agent:
        agent = self.agents[self.add_agent()]
        agent.starts_at, agent.done_at = at, at + self.meeting_s
        agent.subscribed = bool(order.get("subscriptions"))
        agent.hooks = _hooks(order)
        return agent

    def _refusal(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.api_key}".encode()):
            return Response(status_code=401)
        if not self.plan_has_agents:
            return Response(status_code=402)
        return None if self.agents_enabled else Response(status_code=403)

    async def _create(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        order = await _object(request)
        faults = self._faults_of(order)
        if faults:
            return JSONResponse({"errors": faults}, 422)
        self.orders.append(order)
        if "scheduling_key" in order:
            join_at = datetime.fromisoformat(order["join_time"]).timestamp()
            self.scheduled[order["scheduling_key"]] = (join_at, order)
            return Response(status_code=202)
        agent = self._start(order, self.now())
        body = {"sub": agent.sub, "state": "created", "resources": self.resources(agent.sub, False)}
        return JSONResponse({"meeting_agent": body} if self.wrapped else body)

    def _faults_of(self, order: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
        attendee = order.get("on_behalf_of_attendee")
        wanted = {"join_url": order.get("join_url")}
        if self.require_attendee:
            wanted["on_behalf_of_attendee.email"] = attendee.get("email") if isinstance(attendee, dict) else None
        if "scheduling_key" in order:
            wanted["join_time"] = order.get("join_time")
        required = {"key": "errors.required", "description": "required"}
        faults = {name: [required] for name, value in wanted.items() if not isinstance(value, str) or not value}
        if "join_time" in wanted and "join_time" not in faults and not _whole_seconds(order["join_time"]):
            faults["join_time"] = [{"key": "errors.invalid_time", "description": "must be a time in whole seconds"}]
        return faults

    async def _cancel(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        order = await _object(request)
        if not isinstance(order.get("scheduling_key"), str):
            required = {"key": "errors.required", "description": "required"}
            return JSONResponse({"errors": {"scheduling_key": [required]}}, 422)
        self._advance()
        self.scheduled.pop(order["scheduling_key"], None)
        return Response(status_code=202)

    async def _resource(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        sub, pair = request.path_params["sub"], (request.path_params["category"], request.path_params["type"])
        agent = self.agents.get(sub)
        if agent is None or pair not in agent.files:
            return Response(status_code=404)
        if self.serve_directly:
            return file_response(request, agent.files[pair], self.faults)
        link = self.store.presign(object_key(sub, *pair))
        resource = {"category": pair[0], "type": pair[1], "url": f"{self.base_url}{request.url.path}"}
        if self.send_download_url:
            resource["download_url"] = link
        return JSONResponse({"resource": resource}, 302, {"location": link} if self.send_location else None)


def object_key(sub: str, category: str, kind: str) -> str:
    """The store's key of a file."""
    return f"{sub}/{category}-{kind}"


def _event(sub: str, title: str, start: datetime, end: datetime | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "event_id": f"evt_{sub.removeprefix('agt_')}",
        "summary": title,
        "start": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tzid": "Europe/Berlin",
        "conferencing": {"provider_name": "zoom", "join_url": "https://zoom.example/00001111-222?pwd=letmein"},
        "meeting_agent": {"profile_id": "cronofy"},
    }
    return found if end is None else {**found, "end": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _hooks(order: dict[str, Any]) -> tuple[tuple[str, frozenset[str]], ...]:
    """The webhooks among an order's subscriptions; what is malformed there subscribes to nothing."""
    given = order.get("subscriptions")
    found = [one for one in (given if isinstance(given, list) else ()) if isinstance(one, dict)]
    hooks = [one for one in found if one.get("type") == "webhook" and isinstance(one.get("uri"), str)]
    return tuple((one["uri"], _types(one)) for one in hooks)


def _types(subscription: dict[str, Any]) -> frozenset[str]:
    given = subscription.get("interactions")
    found = [one.get("type") for one in (given if isinstance(given, list) else ()) if isinstance(one, dict)]
    return frozenset(name for name in found if isinstance(name, str))


async def _object(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(await request.body())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _whole_seconds(text: str) -> bool:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return False
    return time.tzinfo is not None and time.microsecond == 0


def example_transcript(sub: str) -> dict[str, Any]:
    """A transcript in the documented form, one speaker without a name."""

    def said(text: str, start: float, end: float) -> dict[str, Any]:
        return {"text": text, "start": start, "end": end}

    opening = [said("Good morning, everyone.", 2.72, 4.1), said("Shall we begin?", 4.3, 7.6)]
    reply = [said("Yes. The recording is running.", 8.0, 10.25)]
    return {
        "meeting_agent": {"sub": sub},
        "transcript": {
            "summary": "The meeting was opened and the recording confirmed.",
            "paragraphs": [
                {
                    "speaker": {"identifier": "A", "name": "Garry Shutler"},
                    "start": 2.72,
                    "end": 7.6,
                    "sentences": opening,
                },
                {"speaker": {"identifier": "B"}, "start": 8.0, "end": 10.25, "sentences": reply},
            ],
        },
    }
