"""At the most talkative log level, through a redirect to a presigned link: no library's log tells a credential (R7)."""

import logging
from collections.abc import Iterator

import pytest
from starlette.responses import Response

from providers.base import AccountSettings, ProviderError
from providers.emulation import Loopback
from providers.http import Http
from providers.messages import Request
from tests.providers.test_http import CREDENTIALS, Server, origin, read

SIGNATURE = "s1gnature0f0a0presigned0link"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anybody logs, of each library that says it does not hand its records on, too."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("httpx", "aiohttp", "asyncio")]
    with caplog.at_level(logging.DEBUG):
        for name in names:
            caplog.set_level(logging.DEBUG, logger=name)
        yield caplog


async def test_a_redirect_to_a_presigned_link_leaves_nothing_in_the_logs(
    net: Loopback, logged: pytest.LogCaptureFixture
) -> None:
    own, store = Server(), Server()
    base, other = net.serve(own), net.serve(store)
    link = f"{other}/x.mp4?X-Amz-Credential=AKIA&X-Amz-Signature={SIGNATURE}"
    own.answers["/r"] = lambda: Response(status_code=302, headers={"location": link, "set-cookie": "sid=C00KIESECRET"})
    own.answers["/broken"] = lambda: Response("x", headers={"content-length": "5000"})
    http = Http(AccountSettings("acc", "x", {}, timeout_s=5.0), (origin(base),), lambda: CREDENTIALS, keep_cookies=True)
    async with http.open(f"{base}/r", {}) as body:
        location = body.headers["location"]
    assert location == link
    assert await read(http, location) == b"ok"
    await http.send(Request("GET", location))
    await http.send(Request("GET", f"{base}/again"))
    faults: list[ProviderError] = []
    for address in (f"{base}/broken", f"http://127.0.0.1:1/?X-Amz-Signature={SIGNATURE}"):
        try:
            await http.send(Request("GET", address))
        except ProviderError as fault:
            faults.append(fault)
    await http.aclose()
    assert len(faults) == 2
    told = "\n".join([logged.text, *(f"{fault!r} {fault} {fault.__cause__!r}" for fault in faults)])
    secrets = [SIGNATURE, "C00KIESECRET", *(secret.reveal() for secret in CREDENTIALS.values())]
    assert [secret for secret in secrets if secret in told] == []
