"""Faults of the network and of what is said of a body's length."""

from dataclasses import replace

from tests.vault.faults.model import CUT, EARLY, PLAIN, RESUMABLE, End, Fault
from tests.vault.faults.replies import (
    chunked,
    cut,
    dripping,
    garbled_length,
    half,
    honest,
    late,
    naked,
    no_length,
    once,
    stated,
    two_lengths,
)
from tests.vault.faults.stage import Stage

GOES_ON = {RESUMABLE: End.RESUMED, PLAIN: End.RESTARTED}
BROKE_OFF = {"": "broke off"}


async def _shut(stage: Stage) -> None:
    await stage.files.server.shut()


async def _open(stage: Stage) -> None:
    await stage.files.server.reopen()


CONNECTIONS = (
    Fault("none", "nothing: the service is honest", {"": End.FIRST}, spoil=honest),
    Fault("cut-fin", "the connection ends (FIN) in the middle of the file, once", GOES_ON, spoil=once(cut(CUT))),
    Fault(
        "cut-rst",
        "the connection is reset (RST) in the middle of the file, once",
        GOES_ON,
        spoil=once(cut(CUT, reset=True)),
    ),
    Fault(
        "cut-always",
        "every connection ends (FIN) after the same number of bytes, short of the whole file",
        {RESUMABLE: End.RESUMED, PLAIN: End.FAILED_ANEW},
        BROKE_OFF,
        spoil=cut(CUT),
    ),
    Fault(
        "cut-rst-always",
        "every connection is reset (RST) after the same number of bytes, short of the whole file",
        {RESUMABLE: End.RESUMED, PLAIN: End.FAILED_ANEW},
        {"": "broke"},
        spoil=cut(CUT, reset=True),
    ),
    Fault(
        "cut-early",
        "the connection ends before there was enough to tell the file from a page, once",
        {"": End.RESTARTED},
        spoil=once(cut(EARLY)),
    ),
    Fault(
        "cut-head",
        "the connection ends before the first byte of an answer, once",
        {"": End.AGAIN},
        spoil=once(naked(b"")),
    ),
    Fault(
        "cut-head-always",
        "every connection ends before the first byte of an answer",
        {"": End.FAILED_ANEW},
        BROKE_OFF,
        spoil=naked(b""),
    ),
    Fault(
        "no-http",
        "what answers speaks another protocol",
        {"": End.FAILED_ANEW},
        {"": "no HTTP"},
        spoil=naked(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    ),
    Fault(
        "refused",
        "nothing listens where the file should come from",
        {"": End.FAILED_ANEW},
        {"": "refuses connections"},
        begin=_shut,
        over=_open,
    ),
    Fault(
        "silent",
        "the server takes the request and says nothing, once",
        {"": End.AGAIN},
        spoil=once(late),
        timeout_s=0.3,
    ),
    Fault("stalls", "the body stops in the middle and nothing more comes, once", GOES_ON, spoil=half, timeout_s=0.3),
    Fault(
        "drips",
        "the body goes on in single bytes, never silent for long, once",
        GOES_ON,
        spoil=once(dripping),
        stall_s=0.4,
    ),
)

LENGTHS = (
    Fault("length-none", "no length is stated; the end of the connection is the end", {"": End.FIRST}, spoil=no_length),
    Fault(
        "length-none-cut",
        "no length is stated, and the connection ends in the middle of the file, once",
        {"": End.RESTARTED},
        spoil=once(lambda call: no_length(call, CUT)),
    ),
    Fault(
        "length-none-rst",
        "no length is stated, and the connection is reset (RST) in the middle of the file, once",
        GOES_ON,
        spoil=once(lambda call: replace(no_length(call, CUT), reset=True)),
    ),
    Fault("chunked", "the file comes in chunks, without a length", {"": End.FIRST}, spoil=chunked),
    Fault(
        "chunked-cut",
        "the file comes in chunks, and the connection ends in the middle of it, once",
        GOES_ON,
        spoil=once(lambda call: chunked(call, CUT)),
    ),
    Fault(
        "length-longer",
        "more bytes are stated than come, always",
        {"": End.FAILED_ANEW},
        BROKE_OFF,
        spoil=stated(1000),
    ),
    Fault(
        "length-shorter",
        "fewer bytes are stated than come, always",
        {"": End.FAILED_ANEW},
        spoil=stated(-1000),
    ),
    Fault(
        "length-garbage",
        "the stated length is no number (`12abc`), always",
        {"": End.FAILED_ANEW},
        {"": "no HTTP"},
        spoil=garbled_length,
    ),
    Fault(
        "length-two",
        "two lengths are stated that differ, always",
        {"": End.FAILED_ANEW},
        {"": "no HTTP"},
        spoil=two_lengths,
    ),
)
