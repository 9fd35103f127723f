"""Faults of what is continued: ranges that are not what was asked for, and files that changed meanwhile."""

from dataclasses import replace

from tests.vault.faults.model import CUT, PLAIN, Call, End, Fault
from tests.vault.faults.replies import (
    PAGE,
    answer,
    cut,
    headed,
    later,
    on_resume,
    once,
    page,
    second,
    shifted,
    slice_of,
    trouble,
    zipped,
)
from tests.vault.faults.services import FLEXPERTO, PROCONF
from tests.vault.faults.stage import Stage
from tests.vault.rawserver import Reply

NO_RANGE = {PLAIN: "the rest is never asked for where no version is told from another"}
MODIFIED = "Sat, 21 Nov 2026 10:00:00 GMT"
STATES_OTHER = "the bytes are not what the service states"


def _etag(call: Call) -> str:
    return call.honest.headers.get("etag", "")


def _whole(call: Call) -> Reply:
    """All of it, although only the rest was asked for."""
    return Reply(200, {"ETag": _etag(call), "Content-Type": "application/octet-stream"}, call.stage.content)


def _mislabelled(call: Call) -> Reply:
    """Says that it begins where it was asked for, and begins 100 bytes later."""
    content, start = call.stage.content, call.seen.offset
    told = slice_of(content, start, etag=_etag(call))
    return replace(told, body=content[start + 100 :] + bytes(100))


def _part_of_rest(call: Call) -> Reply:
    content, start = call.stage.content, call.seen.offset
    end = start + 20_000
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}", "ETag": _etag(call)}
    return Reply(206, headers, content[start:end])


def _multipart(call: Call) -> Reply:
    content, start = call.stage.content, call.seen.offset
    told = f"bytes {start}-{len(content) - 1}/{len(content)}"
    body = f"--x\r\nContent-Range: {told}\r\n\r\n".encode() + content[start:] + b"\r\n--x--\r\n"
    return Reply(206, {"Content-Type": "multipart/byteranges; boundary=x", "ETag": _etag(call)}, body)


def _other_total(call: Call) -> Reply:
    content, start = call.stage.content, call.seen.offset
    return slice_of(content, start, total=len(content) + 5000, etag=_etag(call))


def _unsatisfied(call: Call) -> Reply:
    return Reply(416, {"Content-Range": f"bytes */{len(call.stage.content)}"})


def _page_as_rest(call: Call) -> Reply:
    content, start = call.stage.content, call.seen.offset
    return replace(slice_of(content, start, etag=_etag(call)), body=PAGE)


def _tail_of_other(call: Call) -> Reply:
    """If-Range is passed over: the rest of what is there now, which is another file of the same length."""
    return slice_of(call.stage.other, call.seen.offset, etag='"another"')


def _tail_of_other_unsaid(call: Call) -> Reply:
    return slice_of(call.stage.other, call.seen.offset)


def _new_etag(call: Call) -> Reply:
    return headed(etag=f'"answer-{call.number}"')(call)


def _dated(call: Call) -> Reply:
    """No ETag, but Last-Modified, and If-Range is kept by it."""
    named = headed(etag="", last_modified=MODIFIED)
    if call.seen.headers.get("if-range") == MODIFIED:
        told = slice_of(call.stage.content, call.seen.offset)
        return replace(told, headers=told.headers | {"Last-Modified": MODIFIED})
    return named(call)


def _then_changed(call: Call) -> Reply:
    """The first answer breaks off, and the file becomes another."""
    if call.number:
        return call.honest
    call.stage.service.put(call.stage.other)
    return cut(CUT)(call)


def _same_length_other(stage: Stage) -> bytes:
    return stage.other


async def _learn_again(stage: Stage) -> None:
    await stage.service.learn(stage.desk)


RANGES = (
    Fault(
        "range-ignored",
        "asked for the rest, all of it comes (200), once",
        {"": End.RESUMED},
        spoil=on_resume(_whole),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-ignored-always",
        "asked for the rest, all of it comes (200), always",
        {"": End.RESTARTED},
        spoil=on_resume(_whole, always=True),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-earlier",
        "the part that comes (206) begins 1,000 bytes before what was asked for",
        {"": End.RESTARTED},
        spoil=on_resume(shifted(-1000)),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-later",
        "the part that comes (206) begins 1,000 bytes behind what was asked for",
        {"": End.RESTARTED},
        spoil=on_resume(shifted(1000)),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-mislabelled",
        "the part that comes (206) says that it begins as asked for, and begins 100 bytes later",
        {"": End.RESTARTED},
        spoil=on_resume(_mislabelled),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-incomplete",
        "the part that comes (206) ends before the end of the file, and says so",
        {"": End.RESTARTED},
        spoil=on_resume(_part_of_rest),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-other-total",
        "the part that comes (206) is of a file of another length",
        {"": End.RESTARTED},
        spoil=on_resume(_other_total),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-unnamed",
        "the part that comes (206) does not say where it begins",
        {"": End.RESTARTED},
        spoil=on_resume(headed(content_range="")),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-multipart",
        "the part comes (206) wrapped as one of several",
        {"": End.RESTARTED},
        spoil=on_resume(_multipart),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-as-200",
        "exactly the rest comes, under 200 instead of 206",
        {"": End.RESUMED},
        spoil=on_resume(lambda call: replace(call.honest, status=200)),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-416", "416 although there is more", {"": End.RESTARTED}, spoil=on_resume(_unsatisfied), not_for=NO_RANGE
    ),
    Fault(
        "range-page",
        "asked for the rest, a login page comes (200), and from then on to every request",
        {"": End.FAILED_KEPT},
        spoil=later(page),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-json",
        "asked for the rest, an error in JSON comes (200), and from then on to every request",
        {"": End.FAILED_KEPT},
        spoil=later(trouble),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-page-206",
        "asked for the rest, a login page comes that says it is the rest (206)",
        {"": End.RESTARTED},
        spoil=on_resume(_page_as_rest),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-gzip",
        "asked for the rest, it comes in gzip",
        {"": End.FAILED_KEPT},
        {"": "another coding (gzip)"},
        spoil=on_resume(zipped, always=True),
        not_for=NO_RANGE,
    ),
    Fault(
        "range-unasked",
        "asked for all, a part comes (206)",
        {"": End.FAILED_ANEW},
        {"": "where all of it was asked for"},
        spoil=lambda call: slice_of(call.stage.content, 1000),
    ),
    Fault(
        "range-unasked-416",
        "asked for all, the answer is that no such part exists (416)",
        {"": End.FAILED_ANEW},
        {"": "416"},
        spoil=answer(416),
    ),
)

CHANGES = (
    Fault(
        "changed",
        "the connection ends in the middle, and the file becomes another of the same length",
        {"": End.RESTARTED, FLEXPERTO: End.FAILED_ANEW},
        {FLEXPERTO: STATES_OTHER},
        spoil=_then_changed,
        over=_learn_again,
        brings=_same_length_other,
    ),
    Fault(
        "changed-ignored",
        "as before, and the rest of the new file comes, with its own ETag, although If-Range names the old one",
        {"": End.RESTARTED},
        spoil=on_resume(_tail_of_other),
        not_for=NO_RANGE,
    ),
    Fault(
        "changed-unsaid",
        "as before, and the answer names no ETag",
        {"": End.RESTARTED},
        spoil=on_resume(_tail_of_other_unsaid),
        not_for=NO_RANGE,
    ),
    Fault(
        "etag-new",
        "the connection ends in the middle, and every answer has another ETag for the same bytes",
        {"": End.RESTARTED},
        spoil=lambda call: second(_new_etag)(call) if call.number else replace(_new_etag(call), cut=CUT),
    ),
    Fault(
        "etag-weak",
        "the connection ends in the middle, and there is only a weak ETag",
        {"": End.RESTARTED},
        spoil=lambda call: once(cut(CUT))(replace(call, honest=headed(etag='W/"1"')(call))),
    ),
    Fault(
        "dated",
        "the connection ends in the middle, and there is no ETag but Last-Modified",
        {"": End.RESUMED},
        spoil=lambda call: once(cut(CUT))(replace(call, honest=_dated(call))),
        not_for={PLAIN: "there is neither", PROCONF: "a summary is never asked for in parts"},
    ),
)
