"""Services whose every text is hostile to the terminal that shows it. Served like `reeldesk demo --serve DIR`."""

import json
import shlex
import sys
import threading
from pathlib import Path

from providers.emulation import Loopback, ObjectStore
from providers.flexperto.emulated import Person
from providers.flexperto.emulator import FlexpertoEmulator
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator

PAYLOADS = (
    "\x1b]52;c;cHduZWQ=\x07clipboard",
    "\x1b]0;PWNED\x07window title",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[999;999Hclear and move",
    "\x1b[6n\x1b[c\x1b[5i answers and the printer",
    "\x1b[31;107;5mred and blinking",
    "\x1b[?1337h\x1b[?1049lmodes",
    "\x1bP+q544e\x1b\\ a device control string",
    "\x1bc reset \x1b7 save \x1b#8",
    "\x9b31m \x9d0;x\x9c \x90q\x9c \x85 in C1",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200bzero\ufeff \u2028 bidi",
    "\x07\x08\x08\x08\x0c\x0b\x00\x7f control",
    "[/b] [/] [/nope",
    "[@click=app.quit]x[/]",
    "[@click=screen.quit]free[/] [link=https://evil.example]y[/link] [$foo]",
    "[bold red on white]loud[/]",
    "Z̴̧̢̛̗" + "\u0301" * 60,
    "w" * 4_000,
)
"""What each does where a terminal or a markup reader gets it raw."""
ROOM = "hostile-room"
_EVERYTHING = " ".join(PAYLOADS)
_CONFIG = """\
[vault]
path = {vault}

[accounts.advice]
provider = "flexperto"
base_url = "{flexperto}"
poll_s = 0

[accounts.rooms]
provider = "temasys"
base_url = "{temasys}"
username = "temasys"
poll_s = 0

[accounts.standup]
provider = "proconf"
base_url = "{proconf}/api"
rooms = ["{room}"]
poll_s = 0
"""


def name(number: int) -> str:
    """The harmless beginning of a title, to find its row by."""
    return f"row {number:02d}"


def fill(flexperto: FlexpertoEmulator, temasys: TemasysEmulator, proconf: ProconfEmulator) -> None:
    """An archive for each payload, every second one FAILED with it; the rest of the services full of them."""
    start = flexperto.now() - 3_600
    for number, payload in enumerate(PAYLOADS):
        people = (Person(payload, f"{payload}@evil.example"),)
        archive = flexperto.add_archive(
            f"arc-{number:02d}",
            f"conf-{number:02d}",
            title=f"{name(number)} {payload}",
            started_at=start - 60 * number,
            participants=people,
        )
        archive.extra = {payload: payload, "note": _EVERYTHING}
        if number % 2:
            flexperto.set_status(archive.id, "FAILED", f"failed: {payload}")
    flexperto.archives["arc-02"].stated_sha256 = "0" * 64
    odd = flexperto.add_archive("arc-odd", "conf [/b] \x1b]52;c;eA==\x07", title="", started_at=start + 60)
    odd.extra = {"status": f"ODD {_EVERYTHING}"}
    temasys.settings[temasys.username] = {
        "notify": True,
        "url": f"https://x.example/{_EVERYTHING}",
        "email": _EVERYTHING,
    }
    proconf.script(ROOM, [(0, "the summary begins"), *((0, payload) for payload in PAYLOADS)])


def main(arguments: list[str]) -> int:
    """Serve into the folder named last, until interrupted."""
    folder = Path(arguments[-1])
    folder.mkdir(parents=True, exist_ok=True)
    flexperto, temasys, proconf = FlexpertoEmulator(), TemasysEmulator(store=ObjectStore()), ProconfEmulator()
    with Loopback() as net:
        for emulator in (flexperto, temasys, proconf):
            net.serve(emulator)
        net.call(lambda: fill(flexperto, temasys, proconf))
        config = _CONFIG.format(
            vault=json.dumps(str(folder / "vault")),
            flexperto=flexperto.base_url,
            temasys=temasys.base_url,
            proconf=proconf.base_url,
            room=ROOM,
        )
        (folder / "config.toml").write_text(config, "utf-8")
        secrets = {"ADVICE_API_KEY": flexperto.api_key, "ROOMS_PASSWORD": temasys.password}
        lines = (f"REELDESK_SECRET_{key}={shlex.quote(value)}\n" for key, value in secrets.items())
        (folder / "env").write_text("".join(lines), "utf-8")
        print("ready", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
