"""What an agent's events tell of recordings (cec_07_0529 started, cec_07_1382 failed, cec_07_0531 stopped).

The started event is the only place where a recording's ids are given; the gateway has no list of recordings.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from providers.base import NotFound
from providers.huawei.wire import AUDIO_FILE, CONFERENCE_FILE, PATH_FILE
from providers.kept import compact
from providers.models import Asset, AssetId, AssetKind, Listing, Meeting, RemoteState, StateChange
from providers.text import safe_block, safe_text

STARTED = "AgentMediaEvent_Record"
FAILED = "AgentMediaEvent_Record_Fail"
STOPPED = "AgentMediaEvent_StopRecordDone"

FILE_TYPES = {"0": "HD file", "1": "SD file", "2": "auxiliary stream (shared content)"}
_MAYBE = "whether the service has an SD or auxiliary file is known only by asking"
_YEAR_3000_MS = 32_503_680_000_000
_TASKS_KEPT = 4096
# assumption: a call id begins with the unix time of the call, as in every published example (1606459553-176).
_CALL_TIME = re.compile(r"(\d{10})-\d+")
_RECORD_KEY = re.compile(r"recordId\d+")
_HAND_CONFERENCE = re.compile(r"(?:(?P<record>.+)-)?(?P<type>[012])")
_HAND_PATH = re.compile(r"(?:(?P<location>[0-9]+)-)?(?P<path>.*[/\\].*)")


def _text(value: object, limit: int = 300) -> str:
    """A field that may come as "1" or 1: its text; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int) and abs(value) >= 10**18:
        return ""
    return safe_text(value, limit)


def _path(value: object) -> str:
    """A file's path: unlike other text, runs of spaces stay, since it is sent back."""
    return safe_block(value, 1000).replace("\n", " ").strip() if isinstance(value, str) else ""


def _time_ms(value: object) -> datetime | None:
    text = _text(value, 20)
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < _YEAR_3000_MS:
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC)


def _extension(path: str, default: str) -> str:
    suffix = path.rpartition(".")[2].lower()
    return suffix if suffix.isascii() and suffix.isalnum() and len(suffix) <= 5 and suffix != path else default


def _pairs(file_name: str) -> dict[str, str]:
    """`conferenceId=..;recordId0=..;` as pairs."""
    pairs = (part.partition("=") for part in file_name.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip() and value.strip()}


class EventReader:
    """Reads events into listings. It remembers which call a task belongs to, since task numbers are used again."""

    def __init__(self, agent_id: str) -> None:
        self._agent_id = agent_id
        self._calls: dict[tuple[str, str], str] = {}

    def read(self, events: Iterable[Mapping[str, Any]]) -> Listing:
        """What the events tell of recordings, in their order; other events tell nothing."""
        listing = Listing()
        for event in events:
            listing += self._read(event)
        return listing

    def _read(self, event: Mapping[str, Any]) -> Listing:
        kind, content = event.get("eventType"), event.get("content")
        if not isinstance(kind, str) or not isinstance(content, dict):
            return Listing()
        agent = _text(event.get("workNo")) or self._agent_id
        if kind in (STARTED, FAILED):
            listing = _recording(event, content, agent, kind)
            if listing.assets:
                locator = listing.assets[0].locator
                self._remember(agent, locator.get("taskId", ""), locator.get("callId", ""))
            return listing
        if kind == STOPPED:
            return self._stopped(content, agent)
        return Listing()

    def _remember(self, agent: str, task: str, call: str) -> None:
        self._calls.pop((agent, task), None)
        self._calls[agent, task] = call
        if len(self._calls) > _TASKS_KEPT:
            del self._calls[next(iter(self._calls))]

    def _stopped(self, content: Mapping[str, Any], agent: str) -> Listing:
        """It names only the task: the HD file of a conference, or the sole file of another recording, is complete."""
        task = _text(content.get("taskId"))
        if not task:
            return Listing()
        wanted = {"taskId": task, "workNo": agent}
        if call := self._calls.get((agent, task)):
            wanted["callId"] = call
        started, ended = _time_ms(content.get("beginTime")), _time_ms(content.get("endTime"))
        which = ({"fileType": "0"}, {"interface": PATH_FILE}, {"interface": AUDIO_FILE})
        return Listing(
            changes=tuple(
                StateChange(wanted | one, RemoteState.AVAILABLE, STOPPED, started_at=started, ended_at=ended)
                for one in which
            )
        )


def _recording(event: Mapping[str, Any], content: Mapping[str, Any], agent: str, kind: str) -> Listing:
    name = _path(content.get("fileName"))
    call = _text(content.get("callId")) or _text(content.get("callid"))
    task = {"taskId": _text(content.get("taskId")), "workNo": agent, "callId": call}
    ids = _pairs(name)
    if conference := safe_text(ids.get("conferenceId")):
        records = [safe_text(value) for key, value in ids.items() if _RECORD_KEY.fullmatch(key)]
        records = records or [_text(content.get("recordID"))]
        assets = tuple(conference_file(conference, record, kind, task) for record in records for kind in FILE_TYPES)
        meeting_id = conference
    elif name:
        meeting_id = call or _text(content.get("recordID")) or safe_text(name)
        video = name.lower().endswith(".mp4") or _text(content.get("fileMediaType")) == "2"
        assets = (path_file(meeting_id, name, _text(content.get("locationId")), video=video, task=task),)
    else:
        return Listing()
    main = tuple(asset for asset in assets if asset.locator.get("fileType", "0") == "0")
    if kind == FAILED:
        # Nothing was recorded: of a conference's three possible files only the one that is always made is named.
        words = "the recording did not start"
        assets = tuple(replace(one, state=RemoteState.FAILED, provider_state=kind, error=words) for one in main)
    else:
        assets = tuple(
            replace(asset, state=RemoteState.PROCESSING, provider_state=kind) if asset in main else asset
            for asset in assets
        )
    return Listing((_meeting(meeting_id, event, content, kind, task),), assets)


def _meeting(
    meeting_id: str, event: Mapping[str, Any], content: Mapping[str, Any], kind: str, task: Mapping[str, str]
) -> Meeting:
    people = tuple(text for text in (_text(content.get("caller")), _text(content.get("called"))) if text)
    started = _time_ms(event.get("eventGenTime")) or _time_ms(content.get("beginTime"))
    if started is None and (call_time := _CALL_TIME.fullmatch(task["callId"])):
        started = datetime.fromtimestamp(int(call_time[1]), UTC)
    details = {
        "agent": task["workNo"],
        "call": task["callId"],
        "task": task["taskId"],
        "recording": _text(content.get("recordID")),
        "location": _text(content.get("locationId")),
    }
    return Meeting(
        meeting_id,
        " → ".join(people) or meeting_id,
        started_at=started,
        people=people,
        origin=f"event {kind}",
        details={label: text for label, text in details.items() if text},
        raw=compact(event),
    )


def conference_file(conference: str, record: str, file_type: str, task: Mapping[str, str]) -> Asset:
    """One of the three files of an MCU recording (cec_07_4217). Without `record`: of the conference's first one."""
    ids = {"interface": CONFERENCE_FILE, "conferenceId": conference, "recordId": record, "fileType": file_type}
    return Asset(
        conference,
        AssetKind.VIDEO,
        f"{record}-{file_type}" if record else file_type,
        # assumption: MP4; the container is not documented for this interface.
        extension="mp4",
        locator=_filled(ids | dict(task)),
        warning="" if file_type == "0" else _MAYBE,
        details={"file": FILE_TYPES[file_type]},
    )


def path_file(meeting_id: str, path: str, location: str, *, video: bool, task: Mapping[str, str]) -> Asset:
    """A recording on the file server, video (cec_07_4218) or audio (cec_07_4214). `location`: its node, or ""."""
    ids = {"interface": PATH_FILE if video else AUDIO_FILE, "recordId": path, "locationId": location}
    return Asset(
        meeting_id,
        AssetKind.VIDEO if video else AssetKind.AUDIO,
        f"{location}-{path}" if location else path,
        extension=_extension(path, "mp4" if video else "v3"),
        locator=_filled(ids | dict(task)),
        details={"file": path},
    )


def _filled(ids: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in ids.items() if text}


def adopt(identity: AssetId, download: str) -> Listing:
    """The meeting and asset of an identity given by hand; whether they exist is known only by asking.

    A video's variant is RECORDID-FILETYPE or FILETYPE (first recording) for `videofiledownload`, and [LOCATION-]PATH
    for `videofiledownloadEx`; an audio's is [LOCATION-]PATH. Raises NotFound for another one.
    """
    if any("\n" in text or safe_block(text) != text for text in (identity.meeting, identity.variant)):
        raise NotFound("the ids have characters that ids cannot have")
    if identity.kind is AssetKind.VIDEO and download == CONFERENCE_FILE:
        found = _HAND_CONFERENCE.fullmatch(identity.variant)
        if found is None:
            raise NotFound(
                f"{identity}: expected CONFERENCE/video.RECORDID-FILETYPE or CONFERENCE/video.FILETYPE (0, 1, 2)"
            )
        asset = conference_file(identity.meeting, found["record"] or "", found["type"], {})
    elif identity.kind in (AssetKind.VIDEO, AssetKind.AUDIO):
        found = _HAND_PATH.fullmatch(identity.variant)
        if found is None:
            raise NotFound(f"{identity}: expected CALL/{identity.kind}.[LOCATION-]PATH, its slashes written as %2F")
        video = identity.kind is AssetKind.VIDEO
        asset = path_file(identity.meeting, found["path"], found["location"] or "", video=video, task={})
    else:
        raise NotFound(f"{identity}: a CC-Gateway has only video and audio")
    return Listing((Meeting(identity.meeting, identity.meeting, origin="ids given by hand"),), (asset,))
