"""flexperto's archive API as pure functions: requests, answers, and what an answer means when it is not the file.

Paths: page, "Archive" table; the older ones: doc IT guide 2727837856 and Administration 2805301249. All stand under
`/api/v2` (two of the page's own examples leave it out). assumption: statuses of errors and the shape of their bodies
are not documented, so only "not 2xx" is relied on, and what HTTP itself says of a status.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlsplit

from providers.base import BadAnswer, Head, NotReady, NotTrusted, ProviderError, Refused, error_for_status
from providers.flexperto.record import ARCHIVE_ID_KEYS, EXPIRATION, first_identifier, identifier, listing_of
from providers.messages import REDIRECTS, Answer, Request, media_type
from providers.models import Listing
from providers.origin import Origin
from providers.text import safe_text

_ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_NOT_FILES = ("json", "html", "xml")
_API = "/api/v2"


class Family(StrEnum):
    """Which family of paths a tenant serves."""

    CURRENT = "current"
    LEGACY = "legacy"


def api_base(base_url: object) -> str:
    """The API's address for a tenant's, given with or without `/api/v2`, `/spec` or slashes.

    Raises NotTrusted when it is no http(s) address.
    """
    text = str(base_url or "").strip()
    parts = urlsplit(text) if Origin.of(text) else None
    if parts is None or parts.query or parts.fragment:
        raise NotTrusted("base_url must be the tenant's address, such as https://acme.live.flexperto.com")
    path = parts.path.rstrip("/").removesuffix("/spec").rstrip("/").removesuffix(_API).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}{_API}"


def segment(value: str) -> str:
    """An id as a path segment. Raises Refused for one that cannot be an id (empty, `..`, control characters)."""
    if not identifier(value):
        raise Refused("this id cannot be one of flexperto's; sync the account again")
    return quote(value, safe="")


def list_request(base: str, family: Family) -> Request:
    """List archive records."""
    path = "conferences/archives" if family is Family.CURRENT else "archives/archives"
    return Request("GET", f"{base}/communication/{path}")


def record_request(base: str, archive_id: str) -> Request:
    """Get one archive record."""
    return Request("GET", f"{base}/communication/archives/archives/{segment(archive_id)}")


def download_url(base: str, archive_id: str) -> str:
    """Where the zip is."""
    return f"{record_request(base, archive_id).url}/download"


def abandon_request(base: str, family: Family, *, archive_id: str, conference_id: str) -> Request:
    """Abandon an archive: by the conference's id on the current paths, by the archive's own on the legacy ones.

    Raises Refused when the id that the family needs is missing: the other one must never stand in for it.
    """
    if family is Family.LEGACY:
        return Request("POST", f"{record_request(base, archive_id).url}/abandon")
    if not conference_id:
        raise Refused("the archive's record names no conference, and the service abandons archives by conference only")
    return Request("POST", f"{base}/communication/conferences/conferences/{segment(conference_id)}/archive/abandon")


def said(answer: Answer) -> str:
    """The service's own words in an error's body, "" when there are none. assumption: {"message", "code"} or alike."""
    body = answer.json_or_none()
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if not isinstance(body, dict):
        return ""
    texts = (body.get(key) for key in ("message", "error", "detail", "description"))
    words = next((safe_text(text, 200) for text in texts if isinstance(text, str) and text.strip()), "")
    code = body.get("code", body.get("type"))
    named = safe_text(code, 60) if isinstance(code, str) or type(code) is int else ""
    return f"{words} ({named})" if words and named else words or named


def failure(answer: Answer, subject: str, now: datetime) -> ProviderError:
    """The error that an answer other than 2xx means. `subject`: what was asked, in words."""
    if answer.status in REDIRECTS:
        return BadAnswer(f"the service redirects {subject} (HTTP {answer.status}) instead of answering; see base_url")
    words = said(answer)
    if answer.status == 403:
        words = (
            f"{words}; flexperto wants the API token of an administrator" if words else "an administrator's is wanted"
        )
    return error_for_status(answer.status, answer.headers, now, words, subject)


def require_ok(answer: Answer, subject: str, now: datetime) -> Answer:
    """The answer itself when it is 2xx and no web page. Raises the ProviderError that it means otherwise."""
    if not 200 <= answer.status < 300:
        raise failure(answer, subject, now)
    if "html" in answer.media_type:
        raise BadAnswer(f"a web page answers for {subject}, not the service's API; see base_url and proxy")
    return answer


def read_record(answer: Answer, archive_id: str, stay: timedelta = EXPIRATION) -> Listing:
    """The record that was asked for, bare or under data, item or result. Raises BadAnswer."""
    body = answer.json()
    if isinstance(body, dict) and not first_identifier(body, ARCHIVE_ID_KEYS):
        inner = (body.get(key) for key in ("data", "item", "result"))
        body = next((one for one in inner if isinstance(one, dict)), body)
    if isinstance(body, dict) and not ({"status", "conferenceId", "sha256CheckSum"} & set(body)):
        raise BadAnswer(f"the answer for archive {archive_id} is no archive record")
    return listing_of(body, "asked for by its id", archive_id, stay)


def judge_download(archive_id: str, now: Callable[[], datetime]) -> Callable[[Head], None]:
    """What tells a zip from anything else that may come from the download address.

    assumption: 202, 409, 425 mean that the archive is not ready. The zip's media type is not documented, so a
    whole answer (200) is known by its first bytes, and a part (206) by not being a text.
    """

    def judge(head: Head) -> None:
        subject = f"archive {archive_id}"
        answer = Answer(head.status, head.headers, head.prefix)
        if head.status in (202, 409, 425):
            words = said(answer)
            raise NotReady(f"{subject} is not ready (HTTP {head.status})" + (f": {words}" if words else ""))
        if head.status not in (200, 206):
            if 200 <= head.status < 300:
                raise BadAnswer(f"no file came for {subject} (HTTP {head.status})")
            raise failure(answer, subject, now())
        kind = media_type(head.headers)
        textual = kind.startswith("text/") or any(word in kind for word in _NOT_FILES)
        if head.status == 206:
            if textual:
                raise BadAnswer(f"{kind} came instead of a part of the zip of {subject}")
            return
        if head.complete and not head.prefix:
            raise BadAnswer(f"an empty file came for {subject}")
        if not any(head.prefix.startswith(begin[: len(head.prefix)]) for begin in _ZIP_BEGINNINGS):
            words = said(answer)
            raise BadAnswer(
                f"{kind or 'something'} came instead of the zip of {subject}" + (f": {words}" if words else "")
            )

    return judge
