"""One part on the disk, and what lies beside it."""

from pathlib import Path, PurePosixPath

from vault.transfers.part import Part
from vault.transfers.ranges import Validator

NAME = PurePosixPath("advice/day/file.zip")


KNOWN = Validator('"one"', "", 10)


def names(part: Part) -> list[str]:
    return sorted(path.name for path in part.path.parent.iterdir())


def side(part: Part) -> Path:
    return part.path.with_name("file.zip.part.json")
