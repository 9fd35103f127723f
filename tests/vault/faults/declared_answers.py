"""Faults of what the answer is: another content, a status, a redirect, an access that runs out."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast

from providers.huawei.emulator import HuaweiEmulator
from tests.vault.faults.model import CUT, PLAIN, RESUMABLE, Call, End, Fault
from tests.vault.faults.replies import (
    PAGE,
    PAGE_REPLY,
    answer,
    cut,
    flipped,
    headed,
    later,
    of,
    once,
    page,
    to,
    trouble,
    zipped,
)
from tests.vault.faults.services import CRONOFY, FLEXPERTO, HUAWEI, PROCONF, TEMASYS
from tests.vault.faults.stage import Stage
from tests.vault.rawserver import Reply, Seen, ranged

FAILS = {"": End.FAILED_ANEW}
KEEPS = {RESUMABLE: End.FAILED_KEPT, PLAIN: End.FAILED_ANEW}
WAITS = {"": End.WAITS_ANEW}
WAITS_KEEPING = {RESUMABLE: End.WAITS_KEPT, PLAIN: End.WAITS_ANEW}
NO_CHECKSUM = dict.fromkeys((CRONOFY, HUAWEI, TEMASYS, PROCONF), "it states no checksum")
NO_STEP_BEFORE = dict.fromkeys((FLEXPERTO, TEMASYS, PROCONF), "nothing is asked of it before the file")


# Content


def _broken(body: bytes) -> bytes:
    """The service itself holds a file that breaks off: its length is stated as it is."""
    return body[:CUT]


def _put_broken(stage: Stage) -> None:
    stage.service.put(_broken(stage.content))


def _put_right(stage: Stage) -> None:
    stage.service.put(stage.content)


CONTENT = (
    Fault("gzip", "the body comes in gzip, which nobody asked for", FAILS, {"": "another coding (gzip)"}, spoil=zipped),
    Fault("empty", "a body of 0 bytes, stated as such", FAILS, spoil=answer(200)),
    Fault("empty-unsaid", "no byte comes, and no length is stated", FAILS, spoil=lambda call: Reply(200, length=None)),
    Fault("page", "a login page in HTML under 200", FAILS, spoil=page),
    Fault(
        "page-mistyped",
        "a login page in HTML under 200, called `application/octet-stream`",
        FAILS,
        spoil=answer(200, PAGE, Content_Type="application/octet-stream"),
    ),
    Fault("json", "an error in JSON under 200", FAILS, spoil=trouble),
    Fault(
        "json-mistyped",
        "an error in JSON under 200, called `application/octet-stream`",
        FAILS,
        spoil=lambda call: Reply(200, {"Content-Type": "application/octet-stream"}, trouble(call).body),
    ),
    Fault(
        "type-html",
        "the right bytes, called `text/html`",
        {**FAILS, FLEXPERTO: End.FIRST, PROCONF: End.FIRST},
        spoil=headed(content_type="text/html"),
    ),
    Fault(
        "type-text",
        "the right bytes, called `text/plain`",
        {**FAILS, FLEXPERTO: End.FIRST, TEMASYS: End.FIRST, PROCONF: End.FIRST},
        spoil=headed(content_type="text/plain"),
    ),
    Fault("type-none", "the right bytes, called nothing", {"": End.FIRST}, spoil=headed(content_type="")),
    Fault(
        "byte-flipped",
        "one bit in the middle of the file is wrong: only a stated checksum, or a zip's own, can tell",
        {"": End.FIRST, FLEXPERTO: End.FAILED_ANEW},
        {FLEXPERTO: "the bytes are not what the service states"},
        spoil=of(flipped),
        brings=lambda stage: stage.content if stage.service.name == FLEXPERTO else flipped(stage.content),
    ),
    Fault(
        "checksum-wrong",
        "the service states the checksum of another file",
        FAILS,
        {"": "the bytes are not what the service states"},
        begin=lambda stage: stage.state_checksum("0" * 64),
        over=lambda stage: stage.state_checksum(None),
        not_for=NO_CHECKSUM,
    ),
    Fault(
        "checksum-unreadable",
        "the service states a checksum that cannot be read",
        {"": End.FIRST},
        begin=lambda stage: stage.state_checksum("crc:1234"),
        not_for=NO_CHECKSUM,
    ),
    Fault(
        "broken",
        "the service itself holds a file that breaks off",
        FAILS,
        begin=_put_broken,
        over=_put_right,
    ),
)


# Statuses


def _seconds(status: int) -> Callable[[Call], Reply]:
    return answer(status, Retry_After="120")


def _date(status: int) -> Callable[[Call], Reply]:
    def spoilt(call: Call) -> Reply:
        at = datetime.now(UTC) + timedelta(seconds=120)
        return Reply(status, {"Retry-After": format_datetime(at, usegmt=True)})

    return spoilt


def _past(status: int) -> Callable[[Call], Reply]:
    return answer(status, Retry_After="Sat, 01 Jan 2000 00:00:00 GMT")


STATUSES = (
    Fault("401", "HTTP 401, always", FAILS, {"": "401"}, spoil=answer(401)),
    Fault("403", "HTTP 403, always", FAILS, {"": "403"}, spoil=answer(403)),
    Fault("403-once", "HTTP 403, once", {**FAILS, CRONOFY: End.AGAIN}, {"": "403"}, spoil=once(answer(403))),
    Fault("404", "HTTP 404, always", FAILS, {"": "404"}, spoil=answer(404)),
    Fault("410", "HTTP 410, always", FAILS, {"": "410"}, spoil=answer(410)),
    Fault("204", "HTTP 204 (no content), always", FAILS, {"": "204"}, spoil=lambda call: Reply(204, length=None)),
    Fault("400", "HTTP 400, always", FAILS, {"": "400"}, spoil=answer(400)),
    Fault("429", "HTTP 429 without Retry-After, always", FAILS, {"": "429"}, spoil=answer(429)),
    Fault("429-seconds", "HTTP 429 with Retry-After: 120", WAITS, {"": "429"}, spoil=_seconds(429)),
    Fault("429-date", "HTTP 429 with Retry-After as a date, two minutes ahead", WAITS, {"": "429"}, spoil=_date(429)),
    Fault("429-once", "HTTP 429 without Retry-After, once", {"": End.AGAIN}, spoil=once(answer(429))),
    Fault("500", "HTTP 500, always", FAILS, {"": "500"}, spoil=answer(500)),
    Fault("503", "HTTP 503 without Retry-After, always", FAILS, {"": "503"}, spoil=answer(503)),
    Fault("503-once", "HTTP 503 without Retry-After, once", {"": End.AGAIN}, spoil=once(answer(503))),
    Fault("503-seconds", "HTTP 503 with Retry-After: 120", WAITS, {"": "503"}, spoil=_seconds(503)),
    Fault("503-date", "HTTP 503 with Retry-After as a date, two minutes ahead", WAITS, {"": "503"}, spoil=_date(503)),
    Fault("503-past", "HTTP 503 with Retry-After as a date in the past, always", FAILS, {"": "503"}, spoil=_past(503)),
    Fault(
        "later-401",
        "the connection ends in the middle, then HTTP 401, always",
        KEEPS,
        {"": "401"},
        spoil=later(answer(401)),
    ),
    Fault(
        "later-403",
        "the connection ends in the middle, then HTTP 403, always",
        KEEPS,
        {"": "403"},
        spoil=later(answer(403)),
    ),
    Fault(
        "later-404",
        "the connection ends in the middle, then HTTP 404, always",
        KEEPS,
        {"": "404"},
        spoil=later(answer(404)),
    ),
    Fault(
        "later-410",
        "the connection ends in the middle, then HTTP 410, always",
        KEEPS,
        {"": "410"},
        spoil=later(answer(410)),
    ),
    Fault(
        "later-429",
        "the connection ends in the middle, then HTTP 429 with Retry-After: 120",
        WAITS_KEEPING,
        {"": "429"},
        spoil=later(_seconds(429)),
    ),
    Fault(
        "later-503",
        "the connection ends in the middle, then HTTP 503, always",
        KEEPS,
        {"": "503"},
        spoil=later(answer(503)),
    ),
)


# Redirects


def _copy(stage: Stage) -> str:
    return f"{stage.elsewhere.url}/copy?X-Amz-Signature=5ec3e7"


def _there(call: Call) -> str:
    return _copy(call.stage)


def _gives(stage: Stage, seen: Seen) -> Reply:
    """Another origin that has the file."""
    told = ranged(stage.content, seen)
    if stage.mode == PLAIN:
        return Reply(200, {"Content-Type": "application/octet-stream"}, stage.content)
    return told


def _gives_in_pieces(stage: Stage, seen: Seen) -> Reply:
    told = _gives(stage, seen)
    return told if len(stage.elsewhere.seen) > 1 else cut_reply(told)


def cut_reply(reply: Reply) -> Reply:
    """It breaks off."""
    return Reply(reply.status, reply.headers, reply.body, cut=CUT)


def _hops(number: int) -> Callable[[Stage, Seen], Reply]:
    """Another origin that is reached by one redirect and sends on until there were `number`; then it has the file."""

    def hop(stage: Stage, seen: Seen) -> Reply:
        done = len(stage.elsewhere.seen)
        return _gives(stage, seen) if done >= number else Reply(302, {"Location": f"/hop/{done}"})

    return hop


REDIRECTS = (
    Fault(
        "redirect",
        "a redirect to another origin, which has the file",
        {"": End.FIRST},
        spoil=to(_there),
        elsewhere=_gives,
    ),
    Fault(
        "redirect-cut",
        "a redirect to another origin, where the connection ends in the middle, once",
        {RESUMABLE: End.RESUMED, PLAIN: End.RESTARTED},
        spoil=to(_there),
        elsewhere=_gives_in_pieces,
    ),
    Fault("redirect-5", "five redirects, then the file", {"": End.FIRST}, spoil=to(_there), elsewhere=_hops(5)),
    Fault(
        "redirect-6", "six redirects", FAILS, {"": "redirects more than 5 times"}, spoil=to(_there), elsewhere=_hops(6)
    ),
    Fault(
        "redirect-loop",
        "a redirect to the very same address",
        FAILS,
        {"": "redirects more than 5 times"},
        spoil=to(lambda call: call.seen.target),
    ),
    Fault(
        "redirect-page",
        "a redirect to a login page on another origin",
        FAILS,
        spoil=to(_there),
        elsewhere=lambda stage, seen: Reply(200, {"Content-Type": "text/html"}, PAGE),
    ),
    Fault(
        "redirect-private",
        "a redirect to an address of the private network",
        FAILS,
        {"": "10.1.2.3"},
        spoil=to(lambda call: "https://10.1.2.3/copy?X-Amz-Signature=5ec3e7"),
    ),
    Fault(
        "redirect-file",
        "a redirect to a file of this machine",
        FAILS,
        {"": "redirects to an address that is none"},
        spoil=to(lambda call: "file:///etc/passwd"),
    ),
    Fault("redirect-bare", "a redirect that does not say where to", FAILS, {"": "302"}, spoil=answer(302)),
)


# What gives access


def _then_runs_out(call: Call) -> Reply:
    """The first answer breaks off, and by then what gave access holds no longer."""
    if call.number:
        return call.honest
    service = call.stage.service
    if service.store is not None:
        service.store.now = lambda: time.time() + 3600.0
    else:
        cast(HuaweiEmulator, service.emulator).seats["1001"].online = None
    return cut(CUT)(call)


ACCESS = (
    Fault(
        "runs-out",
        "the connection ends in the middle, and by then the link (the session) has run out",
        {
            RESUMABLE: End.RESUMED,
            PLAIN: End.RESTARTED,
            TEMASYS: End.FAILED_FOR_GOOD,
        },
        {TEMASYS: "the link has run out"},
        spoil=_then_runs_out,
        not_for=dict.fromkeys((FLEXPERTO, PROCONF), "its address does not run out, nor does its key"),
    ),
    Fault(
        "asking-503",
        "HTTP 503 to what is asked before the file (the link, the session), once",
        {"": End.AGAIN},
        begin=lambda stage: stage.refuse_calls(Reply(503), 1),
        not_for=NO_STEP_BEFORE,
    ),
    Fault(
        "asking-401",
        "HTTP 401 to what is asked before the file, always",
        FAILS,
        {"": "401"},
        begin=lambda stage: stage.refuse_calls(Reply(401)),
        not_for=NO_STEP_BEFORE,
    ),
    Fault(
        "asking-page",
        "a login page under 200 to what is asked before the file, always",
        FAILS,
        begin=lambda stage: stage.refuse_calls(PAGE_REPLY),
        not_for=NO_STEP_BEFORE,
    ),
    Fault(
        "asking-redirect",
        "a redirect to another origin, to what is asked before the file",
        {CRONOFY: End.FIRST, HUAWEI: End.FAILED_ANEW},
        begin=lambda stage: stage.refuse_calls(Reply(302, {"Location": _copy(stage)})),
        elsewhere=_gives,
        not_for=NO_STEP_BEFORE,
    ),
)
