"""Faults of what is asked beside files: lists, summaries, settings, signing in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.vault.faults.model import Call, Spoil, found
from tests.vault.faults.replies import answer, late, naked, page, to, zipped
from tests.vault.faults.services import CRONOFY, FLEXPERTO, HUAWEI, PROCONF, TEMASYS
from tests.vault.rawserver import Reply

ASKED: Mapping[str, str] = {
    FLEXPERTO: "the list of archives",
    CRONOFY: "the check of the key",
    HUAWEI: "signing in and out",
    TEMASYS: "the notification settings",
    PROCONF: "the catch-up of a room",
}
"""What is asked of each service."""

WELL = ""
KINDS: Mapping[str, str] = {
    WELL: "well",
    "Unauthorized": "the credential is not accepted",
    "Forbidden": "the right is missing",
    "NotFound": "not known there",
    "Gone": "no longer there",
    "RateLimited": "too many requests",
    "ServiceDown": "the service cannot now",
    "Unreachable": "no answer came through",
    "BadAnswer": "the answer makes no sense",
    "Refused": "refused",
}
"""The errors that a person reads of, by class, in the words of the table."""


@dataclass(frozen=True)
class CallFault:
    """One row. `expected`: the class of the error, by service or ""; `says` is among the words."""

    name: str
    words: str
    spoil: Spoil
    expected: Mapping[str, str]
    says: str = ""
    timeout_s: float = 5.0

    def kind(self, service: str) -> str:
        """The expected class of error, WELL when none. Raises AssertionError where nothing is declared."""
        kind = found(self.expected, service, "")
        assert kind is not None, f"{self.name}: nothing is declared for {service}"
        return kind


def _elsewhere(status: int) -> Spoil:
    return lambda call: Reply(status, {"Location": f"{call.stage.elsewhere.url}/copy?X-Amz-Signature=5ec3e7"})


def _halved(call: Call) -> Reply:
    return replace(call.honest, body=call.honest.body[: len(call.honest.body) // 2])


def _cut(reset: bool) -> Spoil:
    return lambda call: replace(call.honest, cut=len(call.honest.body) // 2, reset=reset)


def _json(body: bytes) -> Spoil:
    return answer(200, body, Content_Type="application/json")


NONSENSE = {"": "BadAnswer"}
BY_STATUS = {"": "BadAnswer", CRONOFY: WELL}
"""Of Cronofy's answer to the check the status alone tells what there is to know."""
LOST = {"": "Unreachable"}
REDIRECTED = {"": "BadAnswer", HUAWEI: "Refused", PROCONF: "Refused"}

CALLS = (
    CallFault("call-401", "HTTP 401", answer(401), {"": "Unauthorized"}, "does not accept the"),
    CallFault("call-403", "HTTP 403", answer(403), {"": "Forbidden", TEMASYS: "Unauthorized"}),
    CallFault("call-404", "HTTP 404", answer(404), {"": "NotFound"}, "404"),
    CallFault("call-410", "HTTP 410", answer(410), {"": "Gone"}, "410"),
    CallFault("call-429", "HTTP 429 with Retry-After: 120", answer(429, Retry_After="120"), {"": "RateLimited"}, "429"),
    CallFault("call-500", "HTTP 500", answer(500), {"": "ServiceDown"}, "500"),
    CallFault("call-503", "HTTP 503 with Retry-After: 120", answer(503, Retry_After="120"), {"": "ServiceDown"}, "503"),
    CallFault("call-page", "a login page in HTML under 200", page, NONSENSE),
    CallFault("call-empty", "0 bytes under 200", _json(b""), NONSENSE),
    CallFault("call-halved", "the first half of the right JSON, stated as all", _halved, BY_STATUS),
    CallFault("call-noise", "bytes that are no text", _json(b"\xff\xfe\x00\x81"), NONSENSE),
    CallFault("call-null", "`null`", _json(b"null"), NONSENSE),
    CallFault("call-number", "`[1, 2]`", _json(b"[1, 2]"), NONSENSE),
    CallFault("call-deep", "JSON nested 100,000 deep", _json(b"[" * 100_000), NONSENSE),
    CallFault("call-gzip", "the right JSON in gzip, which nobody asked for", zipped, BY_STATUS),
    CallFault("call-cut-fin", "the connection ends (FIN) in the middle", _cut(reset=False), LOST),
    CallFault("call-cut-rst", "the connection is reset (RST) in the middle", _cut(reset=True), LOST),
    CallFault("call-cut-head", "the connection ends before an answer", naked(b""), LOST),
    CallFault("call-no-http", "what answers speaks another protocol", naked(b"SSH-2.0-OpenSSH_9.2p1\r\n"), LOST),
    CallFault("call-silent", "no answer comes", late, LOST, timeout_s=0.3),
    CallFault("call-302", "a redirect (302) to another origin", _elsewhere(302), REDIRECTED),
    CallFault("call-307", "a redirect (307) to another origin", _elsewhere(307), REDIRECTED),
    CallFault("call-loop", "a redirect to the same address", to(lambda call: call.seen.target), REDIRECTED),
)
