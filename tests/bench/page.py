"""The page of the docs: the same tables as Markdown, the machine, and how it was measured."""

from collections.abc import Sequence

from tests.bench import receiving
from tests.bench.report import BAR_HEAD, Row, bars, caution, remark, table
from tests.bench.results import Results
from tests.bench.tools import shown

_METHOD = """\
- One run on one machine over loopback. nginx with one worker, `sendfile`, keep-alive and no access log serves random
  files (complete MP4 boxes) from the page cache, plain and with TLS (HTTP/1.1, an ECDSA certificate whose authority
  every client was given and checks). It shares the cores with the client.
- In each round every configuration of a table runs once, in an order shuffled with seed {seed}. Given is the median of
  the rounds ({rounds}) with the lowest and the highest. No run was repeated or left out. Ratios are of medians; "single
  rounds" are the lowest and highest of the ratios within one round.
- After every run, off the clock, the SHA-256 of every file that arrived was compared (a wrong one ends the bench), the
  files were deleted, and the disk synchronised.
- reeldesk's rows are the complete path: claim in the ledger, `.part`, SHA-256 while the bytes arrive, fsync, check of
  the container, final name, fsync of the folder, commit. {workers} workers, all for the one account. None of the tools
  does an fsync; only those with `sha256sum`, `openssl` or `--checksum` hash.
- Every reeldesk run is a process of its own. Its clock runs from queueing to the last commit; before it come the
  imports, opening the ledger, taking in the callbacks that announce the files, and one small file fetched the same
  way, as in a desk that is at work. "Its whole process" is from the start of the interpreter to its exit. A tool's
  time is that of its whole process, as a person waits for it.
- CPU seconds are user and system of the client alone, not of the server. "Others' CPU" is what neither the client, nor
  the server, nor the bench used meanwhile, as a share of one core: user, system and stolen time of the machine, which
  includes the kernel's own threads that write to the disk. It is counted in ticks of 10 ms, so it is rough for short
  runs.
- Memory is what the kernel says was resident at most (VmHWM), libraries included; MB are 1,000,000 bytes.
- The clock stands for the screen: an event loop in the main thread that sleeps 10 ms again and again, while the engine
  works on its own thread in the same process. A delay is how much later than 10 ms it woke. "beside curl" is the same
  clock while `curl -Z` fetches the same files in another process: what the machine's load alone does to it.
"""


def markdown(results: Results, notes: str, workers: int) -> str:
    """The whole page. `notes`: what a person has to say about the figures."""
    found = bars(results)
    parts = [
        "# Benchmarks",
        f"Written by `make bench` on {results.day}; not edited by hand.",
        *(["## Bars", drawn(BAR_HEAD, [bar.row() for bar in found]), caution(results)] if found else []),
        *(["## What the figures say", notes.strip()] if notes.strip() else []),
        "## Figures",
    ]
    for workload in results.workloads:
        parts += [f"### {workload.title}", drawn(*table(results, workload)), remark(results, workload)]
    parts += [
        "## The machine",
        "\n".join(f"- {name}: {words}" for name, words in results.machine.items()),
        "## How it was measured",
        _METHOD.format(seed=results.seed, rounds=results.rounds, workers=workers).strip(),
        "The tools' lines (with TLS, each is also given the certificate authority):",
        "\n".join(f"- {tool}: `{line}`" for tool, line in shown().items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def drawn(head: Row, rows: Sequence[Row]) -> str:
    """A table as Markdown."""
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


_NEXT = "\n## "
_BEFORE = "\n## The machine"


def section_of(page: str, title: str) -> str:
    """The section of a page with this title; "" when it has none."""
    begin = page.find(f"{_NEXT}{title}\n")
    if begin < 0:
        return ""
    end = page.find(_NEXT, begin + 1)
    return page[begin + 1 : end + 1 if end >= 0 else len(page)].rstrip("\n") + "\n"


def receiving_section(page: str) -> str:
    """The section about webhooks; "" when there is none."""
    return section_of(page, receiving.TITLE)


def renewed(page: str, section: str) -> str:
    """The page with this section instead of its own one of the same title; it stands before the machine."""
    if not section:
        return page
    old = section_of(page, section.partition("\n")[0].removeprefix("## "))
    page = page.replace(old + "\n", "") if old else page
    at = page.find(_BEFORE)
    before, after = (page[: at + 1], page[at + 1 :]) if at >= 0 else (page and f"{page.rstrip()}\n\n", "")
    return before + section + (f"\n{after}" if after else "")
