"""What a server told of a file, and what could be made of that by a careful reader."""

from collections.abc import Iterable
from dataclasses import dataclass, field

ASKED_AGAIN = 4096
"""So many of the last bytes that are here a resumed transfer asks for again, and compares."""


@dataclass(frozen=True)
class Told:
    """An answer that claims to be the file or its rest. `there`: bytes that lay on the disk when it was asked for."""

    content: bytes = field(repr=False)
    start: int
    there: int
    etag: str
    modified: str
    length: int | None
    """Of the whole file, as far as the answer states it."""
    ended: bool
    """Its body ended as HTTP lets a body end."""
    right: bool
    """The bytes sent are the version's, at the place that was asked for."""


@dataclass(frozen=True)
class Made:
    """A file that the answers told of, and what they stated of it."""

    content: bytes = field(repr=False)
    etag: str
    modified: str
    lengths: frozenset[int]
    ended: bool

    def agrees(self, told: Told) -> bool:
        pairs = ((self.etag, told.etag), (self.modified, told.modified))
        lengths = self.lengths | ({told.length} if told.length is not None else frozenset())
        return all(mine == its for mine, its in pairs if mine and its) and len(lengths) < 2

    def continued(self, told: Told) -> "Made | None":
        """With the rest of another answer, where nothing that was said or asked again differs."""
        here = told.there
        again = slice(max(0, here - ASKED_AGAIN), here)
        if not (told.right and self.agrees(told) and self.content[again] == told.content[again]):
            return None
        lengths = self.lengths | ({told.length} if told.length is not None else frozenset())
        content = self.content[:here] + told.content[here:]
        return Made(content, self.etag or told.etag, self.modified or told.modified, lengths, told.ended)

    def could_be(self, file: bytes) -> bool:
        """Whether nobody could have noticed that this file is not what it should be."""
        if not self.content.startswith(file):
            return False
        return self.lengths == {len(file)} or (not self.lengths and self.ended)


def possible(answers: Iterable[Told]) -> set[Made]:
    """Every file that a careful reader could take for the right one: made of answers that agree with each other.

    Answers in between that do not agree may be passed over, and what was here before be continued.
    """
    made: set[Made] = set()
    for told in answers:
        more = {each for each in (old.continued(told) for old in made) if each is not None}
        if told.start == 0 and told.right:
            lengths = frozenset() if told.length is None else frozenset({told.length})
            more.add(Made(told.content, told.etag, told.modified, lengths, told.ended))
        made |= more
    return made
