"""The page of a packet that a person reads, and the script that follows its chain."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from providers.models import AssetId
from providers.text import safe_text
from vault.proof import Proof
from vault.views import Event, LocalState

_WIDTH = 100
NOT_PROVEN = (
    "Who packed this made every part of it: the records, the times and the log. It is self-attested; no third party "
    "vouches for it, unless timestamp/ holds a time stamp, which says only that the manifest existed by then.",
    "The chain shows that no event was changed, taken out or slipped in before an event whose link somebody else kept. "
    "Without such a link, the whole log could have been written anew.",
    "Times are those of the clock of the machine that wrote them.",
    "Who did something is the account of the operating system that the program ran as, and the machine's name; not "
    "which person sat there.",
    "The services' records are what they answered, kept without credentials, callback addresses and links' "
    "signatures, and cut where they were very long. The services have not signed them.",
    "That a file is what the service gave says nothing of what happened in the meeting, nor of what the service did "
    "to the recording before.",
    "A check that says “not stated” compared nothing: there was nothing to compare with.",
    "Events that say “chained: afterwards” are older than the chain; it vouches for them from then on alone.",
)
CHECK = """\
#!/bin/sh
# Follows the chain in links.txt and looks each event up in it. Needs sha256sum (else: shasum -a 256).
cd "$(dirname "$0")" || exit 2
status=0 before=
while read -r number digest link; do
  if [ "$digest" != - ]; then
    made=$(printf '%s\\n%s' "$before" "$digest" | sha256sum | cut -c1-64)
    [ "$made" = "$link" ] || { echo "the chain is broken at event $number"; status=1; }
  fi
  before=$link
done < links.txt
for file in *-events.jsonl; do
  while IFS= read -r event; do
    digest=$(printf %s "$event" | sha256sum | cut -c1-64)
    grep -q "^[0-9]* $digest " links.txt || { echo "not in the chain: $event"; status=1; }
  done < "$file"
done
[ $status = 0 ] && echo "the chain holds; it ends with $(tail -n 1 links.txt | cut -d ' ' -f 1,3)"
exit $status
"""


class Item(Struct, frozen=True):
    """An asset in a packet. `name`: its file's below the payload, "" when there is none; `records`: what else."""

    identity: AssetId
    title: str
    state: LocalState
    provider_state: str
    name: str
    size: int
    sha256: str
    proof: Proof | None
    records: tuple[str, ...]
    trail: tuple[Event, ...]


class Page(Struct, frozen=True):
    """What the page says of the whole packet."""

    made_at: datetime
    process: str
    software: str
    ledger: str
    head: str
    reaches_head: bool
    items: Sequence[Item]

    def text(self) -> str:
        """The page, as plain text."""
        return "\n".join([*self._begin(), *(line for item in self.items for line in _item(item)), *self._end()]) + "\n"

    def _begin(self) -> Iterable[str]:
        yield from ("CUSTODY PACKET", "==============", "")
        yield f"Made at {_time(self.made_at)} by {self.process} with {self.software}."
        yield from _wrapped(
            "Self-attested: whoever made it vouches for it, and nobody else does. It is a BagIt bag (RFC 8493): this "
            "page and all that it tells of lie in data/, the manifests beside it hold the SHA-256 of each file."
        )

    def _end(self) -> Iterable[str]:
        number, _, link = self.head.partition(":")
        yield from ("", "HOW TO CHECK IT", "---------------", "")
        yield "In the folder that holds manifest-sha256.txt:"
        yield from ("", "    sha256sum -c manifest-sha256.txt", "    sha256sum -c tagmanifest-sha256.txt")
        yield from ("    bagit.py --validate .              (pip install bagit)", "    sh data/trail/check.sh", "")
        yield from _wrapped(
            "check.sh is a part of this packet, and what it says is worth no more than the rest of it. Whoever doubts "
            "the packet uses programs of their own: sha256sum and bagit.py as above, from somewhere else, and for the "
            "chain the rule below, or `reeldesk verify --packet FOLDER` of their own reeldesk. Run nothing from a "
            "packet that somebody else sent before having read it."
        )
        yield ""
        yield from _wrapped(
            "data/trail/*-events.jsonl holds an asset's events, one a line, exactly as they were hashed. A line of "
            "data/trail/links.txt is an event's number, the SHA-256 of its line and its link; a link is the SHA-256 of "
            "the link before it, a line feed and that SHA-256. Where “-” stands, the link is given: a section begins."
        )
        if not self.reaches_head:
            yield from _wrapped("The log is long: the links given are those at each event, not all between them.")
        yield from (
            "",
            "The log's name and head when this was packed (keep them, or give them to somebody else to keep):",
        )
        yield from ("", f"    log {self.ledger}", f"    event {number}, link {link}", "")
        yield from _wrapped(
            f"On the machine that has the log, `reeldesk verify --log --kept {number}:LINK` says whether it still has "
            "that event with that link."
        )
        yield from ("", "WHAT IT DOES NOT PROVE", "----------------------", "")
        for words in NOT_PROVEN:
            yield from textwrap.wrap(words, _WIDTH, initial_indent="- ", subsequent_indent="  ")


def _item(item: Item) -> Iterable[str]:
    heading = str(item.identity)
    yield from ("", heading, "-" * min(len(heading), _WIDTH), "")
    yield f"title     {safe_text(item.title)}"
    yield f"service   {safe_text(item.provider_state) or '(says nothing)'}"
    if item.name:
        yield from (f"file      {item.name}", f"size      {item.size} bytes", f"SHA-256   {item.sha256}")
    else:
        yield f"file      none: it is {item.state} here"
    if item.proof:
        yield f"proven    {_time(item.proof.proven_at)}, from {item.proof.source}"
        yield from (f"          {check.name}: {check.outcome} ({check.words})" for check in item.proof.checks)
    yield from (f"{'record' if place == 0 else '':10}{name}" for place, name in enumerate(item.records))
    yield from ("", "    number  when                         who                   what")
    for event in item.trail:
        who = safe_text(event.who)
        yield f"    {event.number:6}  {_time(event.at):27}  {who:20}  {event.what}: {safe_text(event.words, 1000)}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _wrapped(words: str) -> Iterable[str]:
    return textwrap.wrap(words, _WIDTH)
