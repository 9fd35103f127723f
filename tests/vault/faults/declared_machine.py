"""Faults of this machine: its disk, its folders, its clock, and what happens to a part that waits."""

from pathlib import Path

from tests.vault.faults.model import PLAIN, RESUMABLE, End, Fault
from tests.vault.faults.replies import answer, chunked, half, later
from tests.vault.faults.stage import Stage
from tests.vault.world import until

DAY_S = 86_400.0
WAITING = later(answer(503, Retry_After="120"))


async def _tiny_disk(stage: Stage) -> None:
    stage.mount("96k")


async def _larger(stage: Stage) -> None:
    stage.remount("size=8m")


async def _read_only(stage: Stage) -> None:
    stage.mount("1m")
    stage.remount("ro")


async def _writable(stage: Stage) -> None:
    stage.remount("rw")


async def _small_disk(stage: Stage) -> None:
    stage.mount("1m")


async def _fill(stage: Stage) -> None:
    await until(lambda: stage.view().received)  # by then it was seen that there is room
    (stage.vault / "another.part").write_bytes(b"\0" * (stage.free() - 65_536))


async def _make_room(stage: Stage) -> None:
    (stage.vault / "another.part").unlink()


async def _remove_vault(stage: Stage) -> None:
    stage.remove_vault()


def _part(stage: Stage) -> Path:
    [found] = [path for path in stage.parts() if path.name.endswith(".part")]
    return found


async def _remove_part(stage: Stage) -> None:
    _part(stage).unlink()


async def _another_file(stage: Stage) -> None:
    part = _part(stage)
    stage.foreign = part.with_name(part.name.removesuffix(".part"))
    stage.foreign.write_bytes(b"somebody's own")


async def _move_it_away(stage: Stage) -> None:
    assert stage.foreign is not None
    assert stage.foreign.read_bytes() == b"somebody's own"
    stage.foreign.rename(stage.folder / "moved")
    stage.foreign = None


async def _flip(stage: Stage) -> None:
    part = _part(stage)
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)


async def _shorten(stage: Stage) -> None:
    part = _part(stage)
    part.write_bytes(part.read_bytes()[:50_000])


async def _lengthen(stage: Stage) -> None:
    part = _part(stage)
    part.write_bytes(part.read_bytes() + bytes(5000))


async def _spoil_sidecar(stage: Stage) -> None:
    for path in stage.parts():
        if path.name.endswith(".json"):
            path.write_text('{"durable": ')


async def _ahead(stage: Stage) -> None:
    stage.clock.skip(DAY_S)
    stage.desk.queued()  # somebody looks into the queue before the running transfer has said that it is alive


async def _far_back(stage: Stage) -> None:
    stage.clock.skip(-2 * DAY_S)


async def _back(stage: Stage) -> None:
    stage.clock.skip(-DAY_S)


NOTHING_WAITS = {PLAIN: "nothing is kept that could be continued"}
KEPT = {RESUMABLE: End.WAITS_KEPT, PLAIN: End.WAITS_ANEW}
DROPPED = {"": End.WAITS_ANEW}

DISK = (
    Fault(
        "disk-small",
        "there is less space than the stated length needs",
        DROPPED,
        {"": "missing"},
        begin=_tiny_disk,
        over=_larger,
    ),
    Fault(
        "disk-full",
        "the disk is full in the middle of a file of no stated length",
        KEPT,
        {"": "no space left"},
        spoil=chunked,
        begin=_tiny_disk,
        over=_larger,
    ),
    Fault(
        "disk-filled",
        "somebody else fills the disk in the middle of a file",
        KEPT,
        {"": "no space"},
        spoil=half,
        begin=_small_disk,
        amid=_fill,
        over=_make_room,
    ),
    Fault(
        "read-only",
        "the vault may not be written",
        {"": End.FAILED_ANEW},
        {"": "may not be written"},
        begin=_read_only,
        over=_writable,
    ),
    Fault(
        "folder-gone",
        "the vault's folder is removed in the middle of a file",
        {"": End.FAILED_ANEW},
        spoil=half,
        amid=_remove_vault,
    ),
    Fault(
        "part-gone",
        "the incomplete file is removed in the middle",
        {"": End.FAILED_ANEW},
        spoil=half,
        amid=_remove_part,
    ),
    Fault(
        "name-taken",
        "a file of somebody else gets the final name in the middle",
        {RESUMABLE: End.FAILED_KEPT, PLAIN: End.FAILED_ANEW},
        {"": "a file that reeldesk did not write lies at"},
        spoil=half,
        amid=_another_file,
        over=_move_it_away,
    ),
)

PARTS = (
    Fault(
        "part-kept",
        "a part waits (HTTP 503), and nothing happens to it",
        KEPT,
        {"": "503"},
        spoil=WAITING,
        not_for=NOTHING_WAITS,
    ),
    Fault(
        "part-flipped",
        "a part waits, and one bit of it becomes wrong",
        DROPPED,
        {"": "503"},
        spoil=WAITING,
        over=_flip,
        not_for=NOTHING_WAITS,
    ),
    Fault(
        "part-shorter",
        "a part waits, and loses its end",
        DROPPED,
        {"": "503"},
        spoil=WAITING,
        over=_shorten,
        not_for=NOTHING_WAITS,
    ),
    Fault(
        "part-longer",
        "a part waits, and bytes are put behind it",
        KEPT,
        {"": "503"},
        spoil=WAITING,
        over=_lengthen,
        not_for=NOTHING_WAITS,
    ),
    Fault(
        "note-broken",
        "a part waits, and what was noted of it cannot be read any more",
        DROPPED,
        {"": "503"},
        spoil=WAITING,
        over=_spoil_sidecar,
        not_for=NOTHING_WAITS,
    ),
)

CLOCK = (
    Fault(
        "clock-ahead", "the clock jumps a day ahead in the middle of a file", {"": End.FIRST}, spoil=half, amid=_ahead
    ),
    Fault("clock-back", "the clock jumps a day back in the middle of a file", {"": End.FIRST}, spoil=half, amid=_back),
    Fault(
        "clock-back-waits",
        "a part waits two minutes (HTTP 503), and the clock jumps two days back",
        {RESUMABLE: End.WAITS_KEPT},
        {"": "503"},
        spoil=WAITING,
        over=_far_back,
        not_for=NOTHING_WAITS,
    ),
)
