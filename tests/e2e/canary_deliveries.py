"""What services, and whoever pretends to be one, send to a receiver of canaries."""

import http.client
from urllib.parse import quote

from tests.e2e.canary_house import House


def deliver(home: House, port: int) -> None:
    """Webhooks for the receiver on a port: genuine ones, such as nobody can read, and such as somebody forged."""
    services, secrets = home.services, home.secrets
    hooked = {account: quote(secrets[account, "hook_secret"], safe="") for account in ("advice", "agents", "rooms")}
    forged = quote(home.aviary.make("forged hook_secret", "plain"), safe="")
    services.flexperto.advance("arc-0017")
    services.flexperto.set_status("arc-0017", "AVAILABLE")
    agent = next(iter(services.cronofy.agents))
    deliveries = {
        "advice": services.flexperto.deliveries_for("arc-0017")[0],
        "agents": services.cronofy.deliveries(agent, "meeting_agent_complete")[0],
        "rooms": services.temasys.finish_recording("a-new-room"),
    }
    for account, one in deliveries.items():
        assert ask(port, "POST", f"/hooks/{account}/{hooked[account]}", one.body, one.headers) in (200, 204)
        assert ask(port, "POST", f"/hooks/{account}/{forged}", one.body, one.headers) in (401, 404)
        broken = one.body.replace(b'{"', b'{"x": {"', 1)
        ask(port, "POST", f"/hooks/{account}/{hooked[account]}", broken, one.headers)
    bearer = {"Authorization": f"Bearer {secrets['standup', 'hook_secret']}"}
    assert ask(port, "GET", "/callCatchUp/town-hall", b"", bearer) in (200, 404)
    assert ask(port, "GET", "/callCatchUp/town-hall", b"", {"Authorization": f"Bearer {forged}"}) == 401


def ask(port: int, method: str, path: str, body: bytes, headers: object) -> int:
    """A request to the desk's receiver; its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body or None, dict(headers))  # type: ignore[call-overload]
        return connection.getresponse().status
    finally:
        connection.close()
