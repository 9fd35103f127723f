"""A process of its own that asks MediaInfo what tracks standard input has, and prints its JSON.

Media files come from elsewhere, and what reads them is written in C++: here it can crash, hang or eat memory without
anything of the desk's being near. Nothing of ours is in it: it gets no path, no environment, and no file but the one
that it reads.
"""

import contextlib
import sys

MEMORY_BYTES = 1 << 30
CPU_S = 20
NOT_INSTALLED = 3


def main() -> int:
    """Print the answer; 3 where the library is not there."""
    import resource  # here: the desk reads this module's constants, and not every system has it

    limits = ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_FSIZE, 0))
    for kind, most in limits:
        with contextlib.suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(kind, (most, most))
    try:
        from pymediainfo import MediaInfo
    except ImportError:
        return NOT_INSTALLED
    try:
        with open(0, "rb", closefd=False) as file:
            answer = MediaInfo.parse(file, output="JSON", full=False, parse_speed=0, buffer_size=1 << 16)
    except OSError:  # pymediainfo without its library
        return NOT_INSTALLED
    sys.stdout.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
