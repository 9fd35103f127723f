"""The demo's story: what lies at the five services, and what happens there while one watches.

Everything is relative to the emulators' clock at the start, and the same every time.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from providers.cronofy.emulator import CronofyEmulator, object_key
from providers.emulation import Clock, Faults, ObjectStore, mp4_blob
from providers.flexperto.emulated import Person
from providers.flexperto.emulated_hooks import AVAILABLE_TOPIC
from providers.flexperto.emulator import FlexpertoEmulator
from providers.huawei.emulated_calls import Call
from providers.huawei.emulator import HuaweiEmulator
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator

HOUR, DAY = 3_600.0, 86_400.0
MISSPELT_TOPIC = "communciation.archives.archive.available"
"""As the page's own example has it (page, step 2): whoever copied it never hears of anything."""
ROOMS = ("town-hall", "release-sync", "support-bridge", "retro")

_PEOPLE = tuple(
    Person(name, f"{name.split()[0].lower()}@customers.example")
    for name in ("Anna Weber", "Kofi Mensah", "Mei Tanaka", "Luis Ortega", "Zoë Lindqvist", "Priya Nair")
)
_EXPERTS = tuple(
    Person(name, f"{name.split()[0].lower()}@advice.example") for name in ("Edda Winter", "Jonas Brandt", "Ines Kaya")
)
# Title, status, hours ago. The lifecycle is flexperto's own; TRANSCODING is one that nobody documented.
_ARCHIVES = (
    ("Mortgage advice: Weber family", "AVAILABLE", 2.0),
    ("Pension review, second meeting", "AVAILABLE", 5.0),
    ("Beratung Baufinanzierung – Familie Özdemir", "AVAILABLE", 8.0),
    ("住宅ローン相談(田中様)", "AVAILABLE", 11.0),
    ("Консультация: страхование жизни", "AVAILABLE", 20.0),
    ("استشارة استثمارية", "AVAILABLE", 26.0),
    ("Onboarding [draft] [/b] & contract signing", "AVAILABLE", 29.0),
    ("Fund switch, recorded consent", "AVAILABLE", 33.0),
    ("Anlageberatung Depot 4711", "AVAILABLE", 47.0),
    ("Ενημέρωση για ασφάλειες", "AVAILABLE", 52.0),
    ("Complaint follow-up, branch Köln", "AVAILABLE", 70.0),
    ("Inheritance: first conversation", "AVAILABLE", 75.0),
    ("Conseil patrimonial – Mme Lefèvre", "AVAILABLE", 95.0),
    ("Leasing contract, three signatures", "AVAILABLE", 99.0),
    ("Riester-Vertrag: Widerruf", "AVAILABLE", 120.0),
    ("Quarterly review, Ortega S.A.", "PROCESSING", 0.4),
    ("Video identification with screen share", "ARTIFACT_GATHERING_COMPLETE", 0.6),
    ("Advice on gold, two participants", "PACKING", 0.7),
    ("Home insurance, claim of 12 May", "TRANSCODING", 0.9),
    ("Credit card dispute", "FAILED", 30.0),
    ("Annual tax talk", "ABANDONED", 61.0),
    ("Savings plan for children", "ABANDONED", 66.0),
    ("Old advice call, January", "EXPIRED", 300.0),
    ("Old advice call, February", "EXPIRED", 420.0),
)
_PARTS = ("Loan contract, three parts",) * 3
"""Archives of one conference, which is abandoned as a whole."""
_LAST_MINUTES_S = 240.0
"""What is left of an archive that somebody abandoned almost three days ago."""
SPOILT = "conf-0015"
"""The conference whose held archive a bad disk spoils, in a demo that decays."""
_AGENTS = (
    ("Sprint planning", 3.0),
    ("Kundentermin: Müller & Söhne", 6.0),
    ("设计评审 – 第二轮", 9.0),
    ("Board meeting Q3", 25.0),
    ("Incident review: mail outage", 28.0),
    ("Interview, backend engineer", 31.0),
    ("Sales call: Fjord Shipping ÅS", 50.0),
    ("주간 회의", 55.0),
    ("Security training", 73.0),
)
_RECORDED_ROOMS = (
    "physio-room-2",
    "language-lab",
    "town-hall-recording",
    "Клуб-чтения",
    "tutoring-42",
    "radio-studio",
    "court-interpreter",
    "dance-class",
)
_CALLS = (
    ("70006", "60015", "video"),
    ("+49 221 4711", "22061", "video"),
    ("70011", "60015", "audio"),
    ("+86 10 5550 0199", "22061", "video"),
    ("70023", "22061", "failed"),
    ("+44 20 7946 0018", "60015", "video"),
    ("70031", "60015", "audio"),
    ("+1 202 555 0147", "22061", "video"),
)
_TOWN_HALL = (
    (0, "The call began with the figures of the third quarter: revenue is 4 % above plan."),
    (0, "Support reports shorter waiting times since the new telephone menu."),
    (6, "Question from Kofi: when does the Cologne branch move? Answer: in March, the lease is signed."),
    (20, "Mei shows the new archive desk; three teams will try it from Monday."),
    (40, "Decision: recordings of advice calls are claimed within two days."),
    (70, "Next: holidays. Whoever wants the days between the years says so by Friday."),
    (110, "The call is about to end; the slides will be in the usual folder."),
)


class Services(Struct):
    """The five emulators and their stores, not yet served."""

    flexperto: FlexpertoEmulator
    cronofy: CronofyEmulator
    temasys: TemasysEmulator
    huawei: HuaweiEmulator
    proconf: ProconfEmulator

    @classmethod
    def make(cls, now: Clock) -> "Services":
        """Empty services on a clock."""
        return cls(
            FlexpertoEmulator(now),
            CronofyEmulator(ObjectStore(now), now=now),
            TemasysEmulator(now, ObjectStore(now)),
            HuaweiEmulator(now),
            ProconfEmulator(now),
        )

    def tell(self, hooks: Mapping[str, str]) -> None:
        """Put the story in. After the services have their addresses, since links name them.

        `hooks`: where the webhooks of `advice`, `agents` and `rooms` are received.
        """
        _tell_flexperto(self.flexperto, hooks["advice"])
        _tell_cronofy(self.cronofy, hooks["agents"])
        _tell_temasys(self.temasys, hooks["rooms"])
        _tell_huawei(self.huawei)
        _tell_proconf(self.proconf)


def _tell_flexperto(service: FlexpertoEmulator, hook: str) -> None:
    now = service.now()
    for number, (title, status, hours) in enumerate(_ARCHIVES, 1):
        archive = service.add_archive(
            f"arc-{number:04d}",
            f"conf-{number:04d}",
            title=title,
            started_at=now - hours * HOUR,
            expert=_EXPERTS[number % len(_EXPERTS)],
            participants=_PEOPLE[number % 4 : number % 4 + 1 + number % 3],
        )
        archive.enter("AVAILABLE", now - hours * HOUR + 2_460)
        if status == "FAILED":
            service.set_status(archive.id, status, "participant track 2 could not be merged: no video for 00:12:41")
        elif status == "ABANDONED":
            archive.enter(status, now - (hours - 2) * HOUR)
        elif status != "AVAILABLE":
            service.set_status(archive.id, status)
    for number, title in enumerate(_PARTS, len(_ARCHIVES) + 1):
        service.add_archive(
            f"arc-{number:04d}",
            f"conf-{len(_ARCHIVES) + 1:04d}",
            title=title,
            started_at=now - 22 * HOUR,
            expert=_EXPERTS[0],
            participants=_PEOPLE[:2],
        ).enter("AVAILABLE", now - 22 * HOUR + 2_460)
    service.archives["arc-0022"].enter("ABANDONED", now - service.expiration_s + _LAST_MINUTES_S)
    _tell_what_becomes_available(service, hook)
    # One states a wrong checksum, one breaks off half-way, once.
    service.archives["arc-0011"].stated_sha256 = "0" * 64
    half = service.archives["arc-0014"].blob.size // 2
    service.archive_faults["arc-0014"] = Faults(cut_after=half, times=1)


def _tell_what_becomes_available(service: FlexpertoEmulator, hook: str) -> None:
    """One archive is announced, twice, as it may happen. Another one only polling finds: no attempt gets through.

    The second subscription is somebody's copy of the page's example, and never fires.
    """
    service.schedule("arc-0016", [(6.0, "ARTIFACT_GATHERING_COMPLETE"), (12.0, "PACKING"), (18.0, "AVAILABLE")])
    service.archives["arc-0016"].copies = 2
    service.schedule("arc-0018", [(25.0, "AVAILABLE")])
    service.outages.append((service.now() + 22.0, service.now() + 45.0))
    service.subscribe(AVAILABLE_TOPIC, hook)
    service.subscribe(MISSPELT_TOPIC, hook)


def _tell_cronofy(service: CronofyEmulator, hook: str) -> None:
    now = datetime.fromtimestamp(service.now(), UTC).timestamp()
    for number, (title, hours) in enumerate(_AGENTS, 1):
        start = now - hours * HOUR
        sub = service.add_agent(
            title,
            sub=f"agt_{number:024x}",
            start=datetime.fromtimestamp(start, UTC),
            end=datetime.fromtimestamp(start + 2_700, UTC),
        )
        service.complete(sub, without=("video",) if number == 6 else ())
    service.add_agent(None, sub=f"agt_{0xA0:024x}")
    service.complete(f"agt_{0xA0:024x}")
    service.add_agent("Candidate debrief", sub=f"agt_{0xA1:024x}")
    service.fail(f"agt_{0xA1:024x}")
    service.add_agent("Roadmap workshop (running)", sub=f"agt_{0xA2:024x}", completes_after_s=14.0)
    service.webhook_url = hook
    # A video that takes a while.
    key = object_key(f"agt_{4:024x}", "video", "conference")
    service.store.put(key, mp4_blob(18_000_000, 4))
    service.store.object_faults[key] = Faults(bytes_per_s=1_500_000)


def _tell_temasys(service: TemasysEmulator, hook: str) -> None:
    service.settings[service.username] = {
        "notify": True,
        "url": hook,
        "email": "desk@studio.example,archive@studio.example",
    }
    for number, room in enumerate(_RECORDED_ROOMS):
        service.record(room, length_s=900.0 + 60 * number, participants=2 + number % 4)
    service.record("choir-rehearsal", length_s=1_500.0, participants=5, mixed_in_s=10.0)


def _tell_huawei(service: HuaweiEmulator) -> None:
    now = service.now()
    service.add_agent("1001", "s0ft-ph0ne-1001")
    service.replay_events = True
    service.poll_wait = 0.5
    for number, (caller, called, shape) in enumerate(_CALLS, 1):
        began = now - (number * 7 + 1) * HOUR
        conference = f"7a008307-34ad-435b-bccd-{number:012x}"
        record = f"0a08082d-df1e-4c06-9a97-{number:012x}"
        if shape == "audio":
            path = f"Y:/6/0/20261101/1001/{number:07d}.V3"
            files = {("", path): mp4_blob(90_000, number, "application/octet-stream")}
            call = Call("1001", caller, called, began, 400.0, files, "audio", number=number)
        else:
            sizes = {"0": 600_000, "1": 200_000}
            files = {(record, kind): mp4_blob(size + number, number) for kind, size in sizes.items()}
            fails = shape == "failed"
            call = Call("1001", caller, called, began, 600.0, files, "conference", conference, number, fails)
        service.add_call(call)


def _tell_proconf(service: ProconfEmulator) -> None:
    service.script("town-hall", _TOWN_HALL)
    service.script("release-sync", [(0, "Version 4.2 is out. Two regressions are known, both have an owner.")])
    service.script("support-bridge", [(0, "Incident 318: mail is delayed.\nCause found: a full queue on mx2.")])


def secrets(services: Services, hook_secrets: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Account, secret name, secret. `hook_secrets`: by account, those in the receiver's addresses."""
    yield "advice", "api_key", services.flexperto.api_key
    yield "agents", "api_key", services.cronofy.api_key
    yield "rooms", "password", services.temasys.password
    yield "calls", "password", "s0ft-ph0ne-1001"
    for account, secret in hook_secrets.items():
        yield account, "hook_secret", secret
