"""The story in an emulated gateway: calls, the events they cause and when, and the files they leave."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from providers.emulation import Blob

Shape = Literal["conference", "path", "audio"]


class Due(Struct):
    """An event that an agent's queue holds from `at` (unix seconds) until it is read."""

    at: float
    event: Mapping[str, Any]
    taken: bool = False


class StoredFile(Struct, frozen=True):
    """A recording's file, there from `ready_at` (unix seconds)."""

    blob: Blob
    ready_at: float = 0.0


class Call(Struct, frozen=True):
    """A recorded call of an agent.

    `conference`: recorded by the MCU, with a conference id and `files` by (recording id, file type); `path`: a video on
    the file server; `audio`: a V3 file there; for these two `files` has one entry, by ("", path).
    """

    agent: str
    caller: str
    called: str
    began_at: float
    lasts_s: float
    files: Mapping[tuple[str, str], Blob]
    shape: Shape = "conference"
    conference: str = ""
    number: int = 1
    """Makes the task id and the call id."""
    fails: bool = False
    """The recording does not start."""
    location: str = "255"
    gen_time: bool = True
    """Newer releases state eventGenTime."""
    file_delay_s: float = 0.0
    """How long after the end the file is there (assumption: at once)."""
    tells_end: bool = True
    """Whether StopRecordDone comes."""

    @property
    def call_id(self) -> str:
        """As in the documented examples: unix seconds and a number."""
        return f"{int(self.began_at)}-{self.number}"

    @property
    def task_id(self) -> int:
        """The number that joins the start of a recording with its end."""
        return 5000 + self.number

    def _content(self) -> dict[str, Any]:
        (first, path), *_ = self.files
        records = list(dict.fromkeys(record for record, _ in self.files))
        names = "".join(f"recordId{n}={record};" for n, record in enumerate(records))
        return {
            "recordID": first or f"Yc1v1a{self.agent}d{self.number}",
            "callId": self.call_id,
            "fileName": f"conferenceId={self.conference};{names}" if self.shape == "conference" else path,
            "caller": self.caller,
            "called": self.called,
            "locationId": self.location,
            "taskId": self.task_id,
            "fileMediaType": "1" if self.shape == "audio" else 2,
            "jsonKey": ["recordID", "callId", "fileName", "caller", "called", "locationId", "taskId", "fileMediaType"],
        }

    def _event(self, at: float, kind: str, content: Mapping[str, Any]) -> Due:
        event = {"eventType": kind, "workNo": self.agent, "content": content}
        return Due(at, event | {"eventGenTime": int(at * 1000)} if self.gen_time else event)

    def events(self) -> Iterator[Due]:
        """Ringing, talking, recording, and its end, as cec_07_1355, cec_07_0529 and cec_07_0531 show them."""
        call = {"callid": self.call_id, "caller": self.caller, "called": self.called}
        yield self._event(self.began_at, "AgentEvent_Ringing", call)
        ability = "1" if self.shape == "audio" else "3"
        yield self._event(self.began_at, "AgentEvent_Talking", call | {"feature": "7", "mediaAbility": ability})
        started = "AgentMediaEvent_Record_Fail" if self.fails else "AgentMediaEvent_Record"
        yield self._event(self.began_at, started, self._content())
        if self.fails or not self.tells_end:
            return
        end = self.began_at + self.lasts_s
        times = {"beginTime": int(self.began_at * 1000), "endTime": int(end * 1000)}
        done = times | {"taskId": self.task_id, "jsonKey": ["beginTime", "endTime", "taskId"]}
        yield self._event(end, "AgentMediaEvent_StopRecordDone", done)

    def stored(self) -> Iterator[tuple[tuple[str, str, str], StoredFile]]:
        """Its files, by (conference id or "", recording id or "", file type or path)."""
        ready = self.began_at + self.lasts_s + self.file_delay_s
        if not self.fails:
            for (record, tail), blob in self.files.items():
                yield (self.conference, record, tail), StoredFile(blob, ready)
