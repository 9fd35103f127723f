"""The part of making a bag that is the library's, in a process of its own: `python -m vault.custody.bagging`.

The library changes the process's working directory meanwhile, which all threads of a desk share; and it cannot be
interrupted, but a process can be ended.
"""

import json
import logging
import sys
from pathlib import Path


def make(folder: Path, info: dict[str, str]) -> None:
    """Turn a folder into a bag (RFC 8493) in place: what is in it becomes the payload."""
    import bagit

    bagit.make_bag(str(folder), dict(info), checksums=["sha256"])
    # The library declares the draft's number; what it makes fits the RFC's, which forbids more to a reader.
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "utf-8")
    seal(folder)


def seal(folder: Path) -> None:
    """Take all tag files into the tag manifest."""
    import bagit

    bagit.Bag(str(folder)).save()


def main() -> int:
    """One JSON object on stdin: `folder`, and `info` to make a bag, without it to seal one. Faults go to stderr."""
    import bagit

    logging.disable(logging.CRITICAL)
    wanted = json.load(sys.stdin)
    try:
        if "info" in wanted:
            make(Path(wanted["folder"]), wanted["info"])
        else:
            seal(Path(wanted["folder"]))
    except OSError as fault:
        print(json.dumps({"errno": fault.errno, "words": fault.strerror or str(fault)}), file=sys.stderr)
        return 1
    except (bagit.BagError, RuntimeError) as fault:
        print(json.dumps({"errno": 0, "words": str(fault)}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
