"""A desk whose secrets lie in a real sealed file, made with little work so that tests are quick."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.pilot import Pilot

from tests.tui.stage import CONFIG, NOW, StageEngine, app_on, fill
from tests.vault.secret_place import QUICK
from tests.vault.test_secrets import Ring, thread
from tui.app import DeskApp
from vault.config import load
from vault.desk import Desk
from vault.ledger import Ledger
from vault.passphrase import Passphrase
from vault.sealed_file import SealedKeyring
from vault.secrets import SEALED_NAME, Secrets

WORDS = "correct horse battery"
KEY = "flx-CANARY-of-the-sealed-file"


def seal(data: Path, kept: Mapping[str, str], passphrase: str = WORDS) -> SealedKeyring:
    """A sealed file in a data folder. `kept`: `ACCOUNT/NAME` to value."""
    ring = SealedKeyring(data / SEALED_NAME, kdf=QUICK)
    ring.create(Passphrase(passphrase))
    for name, value in kept.items():
        ring.set_password("reeldesk", name, value)
    return ring


@contextmanager
def sealed_stage(
    folder: Path,
    kept: Mapping[str, str] | None = None,
    *,
    config: str = CONFIG,
    environ: Mapping[str, str] | None = None,
    ring: Ring | None = None,
    filled: bool = True,
) -> Iterator[StageEngine]:
    """A desk; a locked sealed file with `kept` in it, None: no file. `ring`: the system keyring, if any."""
    path = folder / "config.toml"
    path.write_text(config.format(folder=folder))
    data = folder / "data"
    if kept is not None:
        seal(data, kept)
    places = {"REELDESK_CONFIG": str(path), "REELDESK_DATA": str(data), "REELDESK_KEYRING": "on" if ring else "off"}
    given = places | dict(environ or {})
    settings = load(None, given)
    secrets = Secrets(given, thread(ring) if ring else None, sealed=data / SEALED_NAME)
    desk = Desk(settings, Ledger(settings.ledger_path), secrets, now=lambda: NOW)
    try:
        if filled:
            fill(desk, folder)
        engine = StageEngine(desk)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        desk.secrets.close()
        desk.close()


def at_work(engine: StageEngine, **options: Any) -> DeskApp:
    """The application as somebody uses it already: nothing is asked at its start."""
    app = app_on(engine, **options)
    app.keys_seen = 1
    return app


def burst(app: App[None], *keys: str) -> None:
    """Keys that arrive all at once, as a slow line hands them over."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def type_in(pilot: Pilot[None], text: str, *more: str) -> None:
    """Type a text, then keys by name, all at once; wait until they have arrived."""
    burst(pilot.app, *text, *more)
    await pilot.pause()
    await pilot.pause()
