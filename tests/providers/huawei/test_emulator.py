"""What the emulated gateway answers to requests that reeldesk itself does not send."""

from collections.abc import AsyncIterator

import pytest

from providers.emulation import Loopback
from providers.http import Http
from providers.huawei import INFO
from providers.huawei.emulator import HuaweiEmulator
from providers.messages import Request, json_request
from providers.origin import Origin
from providers.secret import Secret
from tests.providers.box import settings_for
from tests.providers.huawei.box import AGENT, PASSWORD, RECORD, emulator, past_call


class Caller:
    """A bare client that sends whatever a test says, with the Guid it is told."""

    def __init__(self, gateway: HuaweiEmulator) -> None:
        settings = settings_for(INFO, "calls", base_url=gateway.base_url, agent_id=AGENT)
        origin = Origin.of(gateway.base_url)
        assert origin is not None
        self.guid = ""
        self.root = f"{gateway.base_url}/agentgateway/resource"
        self.http = Http(settings, (origin,), self._headers, keep_cookies=True)

    def _headers(self) -> dict[str, Secret]:
        return {"Guid": Secret(self.guid)} if self.guid else {}

    async def code(self, method: str, path: str, body: object = None) -> str:
        url = f"{self.root}/{path}"
        answer = await self.http.send(Request(method, url) if body is None else json_request(method, url, body))
        return str(answer.json()["retcode"])

    async def sign_in(self, **more: object) -> str:
        body = {"password": PASSWORD, "phonenum": "1", **more}
        answer = await self.http.send(json_request("PUT", f"{self.root}/onlineagent/{AGENT}", body))
        self.guid = answer.headers.get("set-guid", "").partition("=")[2]
        return str(answer.json()["retcode"])


@pytest.fixture
def gateway(net: Loopback) -> HuaweiEmulator:
    made = emulator(poll_wait=0.05)
    net.serve(made)
    return made


@pytest.fixture
async def caller(gateway: HuaweiEmulator) -> AsyncIterator[Caller]:
    made = Caller(gateway)
    yield made
    await made.http.aclose()


async def test_sign_ins_that_are_none(gateway: HuaweiEmulator, caller: Caller) -> None:
    bodies: tuple[object, ...] = ([], {"password": PASSWORD}, {"phonenum": "1"})
    for body in bodies:
        assert await caller.code("PUT", f"onlineagent/{AGENT}", body) == "100-001"
    answer = await caller.http.send(Request("PUT", f"{caller.root}/onlineagent/{AGENT}", {}, b"no json"))
    assert answer.json()["retcode"] == "100-001"
    assert await caller.code("PUT", "onlineagent/999", {"password": "", "phonenum": "1"}) == "100-004"
    assert gateway.seats[AGENT].online is None


async def test_requests_without_a_session_or_with_another_guid(gateway: HuaweiEmulator, caller: Caller) -> None:
    places = (
        ("DELETE", f"onlineagent/{AGENT}/logout"),
        ("GET", f"onlineagent/{AGENT}/agentstatus"),
        ("GET", f"agentevent/{AGENT}"),
        ("GET", f"recordfile/{AGENT}/videofiledownload"),
        ("GET", f"recordfile/{AGENT}/videofiledownloadEx"),
        ("GET", f"recordfile/{AGENT}"),
    )
    gateway.kick(AGENT)  # nobody is there: nothing happens
    assert [await caller.code(*place) for place in places] == ["100-006"] * 6
    assert await caller.code("GET", "agentevent/999") == "100-006"
    assert await caller.sign_in() == "0"
    caller.guid = "another"
    assert [await caller.code(*place) for place in places] == ["000-003"] * 6


async def test_the_default_sign_in_is_ready_for_calls(gateway: HuaweiEmulator, caller: Caller) -> None:
    assert await caller.sign_in() == "0"
    assert await caller.sign_in() == "100-002"
    online = gateway.seats[AGENT].online
    assert online is not None
    assert [event["eventType"] for event in online.events] == ["AgentOther_InService", "AgentState_Ready"]


async def test_parameters_that_are_missing(gateway: HuaweiEmulator, caller: Caller) -> None:
    gateway.add_call(past_call())
    assert await caller.sign_in() == "0"
    for query in ("", "?conferenceId=c", "?fileType=0", "?conferenceId=c&fileType=3"):
        assert await caller.code("GET", f"recordfile/{AGENT}/videofiledownload{query}") == "000-002"
    assert await caller.code("GET", f"recordfile/{AGENT}/videofiledownloadEx") == "000-002"


async def test_ranges_where_they_are_switched_on(gateway: HuaweiEmulator, caller: Caller) -> None:
    call = gateway.add_call(past_call())
    gateway.faults.ranges = True
    assert await caller.sign_in() == "0"
    url = f"{caller.root}/recordfile/{AGENT}/videofiledownload?conferenceId={call.conference}&fileType=0"
    async with caller.http.open(url, {"Range": "bytes=299990-"}) as body:
        content = b"".join([chunk async for chunk in body.chunks()])
    assert (body.status, content) == (206, call.files[RECORD, "0"].read(299_990, 10))
    async with caller.http.open(url, {"Range": "bytes=300000-"}) as body:
        assert body.status == 416


async def test_a_poll_that_waits_is_told_of_the_forced_sign_out(net: Loopback, gateway: HuaweiEmulator) -> None:
    caller = Caller(gateway)
    assert await caller.sign_in() == "0"
    online = gateway.seats[AGENT].online
    assert online is not None
    online.ended = True
    assert await caller.code("GET", f"agentevent/{AGENT}") == "0"
    assert await caller.code("GET", f"agentevent/{AGENT}") == "0"
    assert await caller.code("GET", f"agentevent/{AGENT}") == "0"  # nothing left to tell
    await caller.http.aclose()
