"""flexperto in a box."""

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from providers.emulation import Blob, Clock, Faults, ObjectStore, file_response
from providers.flexperto.emulated import (
    DOWNLOADABLE,
    EXPIRATION_S,
    LIFECYCLE,
    AbandonCall,
    EmulatedArchive,
    EmulatedSubscription,
    Person,
    archive_zip,
    record_json,
    subscription_json,
)
from providers.flexperto.emulated_hooks import (
    ATTEMPTS,
    TOPICS,
    EmulatedHooks,
    delivery_of,
    error,
)
from providers.flexperto.emulated_hooks import (
    AVAILABLE_TOPIC as AVAILABLE_TOPIC,  # tests take it from here
)
from providers.models import Delivery
from providers.sending import Parcel, SendingEmulator

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
EXPERT = Person("Edda Experte", "edda@mycompany.example")


class FlexpertoEmulator(SendingEmulator):
    """A tenant of flexperto.

    Documented (page): the paths of the current family, `api-key`, the lifecycle, abandoning by conference, expiration
    after 3 days, downloads while AVAILABLE and ABANDONED, the webhook's payload, registration under both names; how
    webhooks are sent is told in `emulated_hooks`. From other pages of the vendor: the legacy paths,
    `?status=`, the folders of the zip. Everything is served with and without `/api/v2`.

    assumption: all statuses and bodies of errors, the record's other keys (see `emulated.record_json`), paging,
    Range and Content-Length of downloads, listing and deleting subscriptions, the shapes of subscriptions and reports.
    The knobs below change what is assumed.
    """

    def __init__(self, now: Clock = time.time, api_key: str = "flexperto-key") -> None:
        super().__init__(now)
        self.api_key = api_key
        self.is_admin = True
        """False: the key is of somebody who is no administrator (403)."""
        self.tenant = "mycompany"
        self.families = {"current", "legacy"}
        """Families of list and abandon paths that are served; the rest is 404."""
        self.subscription_families = {"current", "legacy"}
        """The same for `subscriptions/subscriptions` (current) and `notificationssubscriptions/…` (legacy)."""
        self.envelope = "array"
        """`array`, or the key that the records stand under: rows, data, items, results."""
        self.id_key = "id"
        self.checksum_encoding = "hex"
        """hex, HEX, base64 or garbage."""
        self.page_size: int | None = None
        """Lists come in pages of so many (never for `array`, which has no place to say so)."""
        self.paging = "pages"
        """What a page says: `pages` (page, pageSize, total, totalPages), `total` (total alone) or `next` (a link)."""
        self.with_size = True
        """Whether finished records state `size`."""
        self.expiration_s = EXPIRATION_S
        self.not_ready_status = 409
        self.expired_status = 410
        self.store: ObjectStore | None = None
        """Downloads are answered with a redirect to a presigned link there."""
        self.allow_private_targets = False
        """Webhooks may be registered for http:// and for private addresses."""
        self.refuse_unknown_topics = False
        self.answers_with_id = True
        """False: registering a webhook is answered with an empty 204."""
        self.archives: dict[str, EmulatedArchive] = {}
        self.archive_faults: dict[str, Faults] = {}
        """Faults of single downloads, by archive id; others use `faults`."""
        self.abandon_calls: list[AbandonCall] = []
        self.attempts = ATTEMPTS
        """How webhooks are tried."""
        self._hooks = EmulatedHooks(now)
        self.registered = self._hooks.registered
        """Subscriptions by id."""
        self.outages = self._hooks.outages
        """From when until when (unix seconds) no webhook gets through; the reports show it."""

    # What tests and the demo do

    def add_archive(
        self,
        archive_id: str,
        conference_id: str = "",
        status: str = "AVAILABLE",
        *,
        title: str = "",
        started_at: float | None = None,
        duration_s: float = 2_460.0,
        expert: Person = EXPERT,
        participants: Iterable[Person] = (),
        blob: Blob | None = None,
        error: str | None = None,
        stated_sha256: str | None = None,
    ) -> EmulatedArchive:
        """Add an archive in a status. Without `started_at` (unix seconds) the conference was an hour ago."""
        now = self.now()
        people = tuple(participants)
        began = now - 3_600 if started_at is None else started_at
        archive = EmulatedArchive(
            id=archive_id,
            conference_id=conference_id or f"conference-{archive_id}",
            title=title,
            blob=blob or archive_zip(archive_id, title, (expert, *people)),
            status="PROCESSING",
            created_at=began + duration_s,
            started_at=began,
            ended_at=began + duration_s,
            expert=expert,
            participants=people,
            error=error,
            stated_sha256=stated_sha256,
            updated_at=began + duration_s,
        )
        if status != "PROCESSING":
            archive.enter(status, now)
        if status == "EXPIRED":
            archive.abandoned_at = now - self.expiration_s
        archive.became_available.clear()  # it was there before
        self.archives[archive_id] = archive
        return archive

    def archive(self, archive_id: str) -> EmulatedArchive:
        """An archive as it is by the emulator's clock. Raises KeyError."""
        archive = self.archives[archive_id]
        archive.settle(self.now(), self.expiration_s)
        return archive

    def set_status(self, archive_id: str, status: str, error: str | None = None) -> None:
        """Put an archive into a status now; what was planned for it is dropped."""
        archive = self.archive(archive_id)
        archive.plan.clear()
        archive.error = error
        archive.enter(status, self.now())

    def advance(self, archive_id: str) -> str:
        """Take an archive one step further in its lifecycle and give its new status; EXPIRED and FAILED stay."""
        archive = self.archive(archive_id)
        if archive.status in LIFECYCLE[:-1]:
            self.set_status(archive_id, LIFECYCLE[LIFECYCLE.index(archive.status) + 1])
        return archive.status

    def schedule(self, archive_id: str, steps: Iterable[tuple[float, str]]) -> None:
        """Plan statuses: each so many seconds from now, by the emulator's clock."""
        now = self.now()
        self.archives[archive_id].plan = sorted((now + after_s, status) for after_s, status in steps)

    def deliveries_for(self, archive_id: str, topic: str = AVAILABLE_TOPIC) -> list[Delivery]:
        """What is sent when the archive becomes available; nothing before. Duplicates are the same bytes again."""
        archive = self.archive(archive_id)
        if archive.status not in (*DOWNLOADABLE, "EXPIRED"):
            return []
        return [delivery_of(archive, topic, self.tenant)]

    def due_parcels(self) -> list[Parcel]:
        """The webhooks of archives that became available: by plan, by `advance` or by `set_status`."""
        archives = [self.archive(archive_id) for archive_id in self.archives]
        return self._hooks.parcels(archives, self.tenant, self.attempts, lambda: self.allow_private_targets)

    def subscribe(self, topic: str, url: str) -> EmulatedSubscription:
        """Register a webhook as somebody did through the API; what it would refuse is taken as well."""
        return self._hooks.register(topic, url, "*")

    def report(self, subscription_id: str, status: int, attempt: int = 1) -> bool:
        """Note a delivery attempt that was answered with an HTTP status; whether it counts as delivered."""
        return self._hooks.note(self.registered[subscription_id], status, attempt)

    # The service

    def routes(self) -> list[Route]:
        """Every path of both families, with and without `/api/v2`."""
        handlers: list[tuple[str, str, Handler]] = [
            ("GET", "/communication/conferences/archives", self._in("current", self._list)),
            ("GET", "/communication/archives/archives", self._in("legacy", self._list)),
            ("GET", "/communication/archives/archives/{archive_id}", self._get),
            ("GET", "/communication/archives/archives/{archive_id}/download", self._download),
            (
                "POST",
                "/communication/conferences/conferences/{id}/archive/abandon",
                self._in("current", self._abandon_conference),
            ),
            ("POST", "/communication/archives/archives/{id}/abandon", self._in("legacy", self._abandon_archive)),
        ]
        for family, name in (("current", "subscriptions"), ("legacy", "notificationssubscriptions")):
            root = f"/communication/{name}/{name}"
            handlers += [
                ("POST", f"{root}/webhook", self._subscribed_in(family, self._register)),
                ("GET", root, self._subscribed_in(family, self._subscriptions)),
                ("DELETE", f"{root}/{{id}}", self._subscribed_in(family, self._unregister)),
                ("GET", f"{root}/{{id}}/reports", self._subscribed_in(family, self._reports)),
            ]
        handlers.append(("GET", "/spec", self._spec))
        return [
            Route(prefix + path, self._for_admins(handler), methods=[method])
            for prefix in ("/api/v2", "")
            for method, path, handler in handlers
        ]

    def _in(self, family: str, handler: Handler) -> Handler:
        async def served(request: Request) -> Response:
            return await handler(request) if family in self.families else error(404, "no such path", "NOT_FOUND")

        return served

    def _subscribed_in(self, family: str, handler: Handler) -> Handler:
        async def served(request: Request) -> Response:
            if family in self.subscription_families:
                return await handler(request)
            return error(404, "no such path", "NOT_FOUND")

        return served

    def _for_admins(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("api-key") != self.api_key:
                return error(401, "the api-key is missing or wrong", "UNAUTHORIZED")
            if not self.is_admin:
                return error(403, "administrators only", "FORBIDDEN")
            return await handler(request)

        return guarded

    def _record(self, archive: EmulatedArchive) -> dict[str, Any]:
        return record_json(
            archive,
            id_key=self.id_key,
            checksum_encoding=self.checksum_encoding,
            expiration_s=self.expiration_s,
            with_size=self.with_size,
        )

    def _records(self, archive_ids: Iterable[str]) -> list[dict[str, Any]]:
        return [self._record(self.archive(archive_id)) for archive_id in archive_ids]

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params.get("status")
        names = [one for one in self.archives if wanted is None or self.archive(one).status == wanted]
        if self.envelope == "array":
            return JSONResponse(self._records(names))
        if self.page_size is None:
            return JSONResponse({self.envelope: self._records(names)})
        number = int(request.query_params.get("page", "1"))
        pages = -(-len(names) // self.page_size)
        part = self._records(names[(number - 1) * self.page_size : number * self.page_size])
        body: dict[str, Any] = {self.envelope: part}
        if self.paging == "next":
            body["next"] = f"{request.url.path}?page={number + 1}" if number < pages else None
        else:
            body["total"] = len(names)
        if self.paging == "pages":
            body |= {"page": number, "pageSize": self.page_size, "totalPages": pages}
        return JSONResponse(body)

    async def _get(self, request: Request) -> Response:
        archive_id = request.path_params["archive_id"]
        if archive_id not in self.archives:
            return error(404, "no such archive", "ARCHIVE_NOT_FOUND")
        return JSONResponse(self._record(self.archive(archive_id)))

    async def _download(self, request: Request) -> Response:
        archive_id = request.path_params["archive_id"]
        if archive_id not in self.archives:
            return error(404, "no such archive", "ARCHIVE_NOT_FOUND")
        archive = self.archive(archive_id)
        if archive.status == "EXPIRED":
            return error(self.expired_status, "the archive has expired", "ARCHIVE_EXPIRED")
        if archive.status not in DOWNLOADABLE:
            return error(self.not_ready_status, f"the archive is {archive.status}", "ARCHIVE_NOT_READY")
        faults = self.archive_faults.get(archive_id, self.faults)
        if faults.status is not None:
            refused = error(faults.status, "switched off on purpose", "FAULT")
            if faults.retry_after is not None:
                refused.headers["retry-after"] = faults.retry_after
            return refused
        if self.store:
            self.store.object_faults[f"{archive_id}.zip"] = faults
            self.store.put(f"{archive_id}.zip", archive.blob)
            return RedirectResponse(self.store.presign(f"{archive_id}.zip"), 302)
        headers = {"content-disposition": f'attachment; filename="{archive_id}.zip"'}
        return file_response(request, archive.blob, faults, headers)

    async def _abandon_conference(self, request: Request) -> Response:
        conference_id = request.path_params["id"]
        found = [archive_id for archive_id, one in self.archives.items() if one.conference_id == conference_id]
        return self._abandon("current", conference_id, [self.archive(archive_id) for archive_id in found])

    async def _abandon_archive(self, request: Request) -> Response:
        archive_id = request.path_params["id"]
        return self._abandon("legacy", archive_id, [self.archive(archive_id)] if archive_id in self.archives else [])

    def _abandon(self, family: str, given_id: str, found: list[EmulatedArchive]) -> Response:
        """assumption: all available archives of the conference are abandoned; anything but available is a conflict."""
        available = [archive for archive in found if archive.status == "AVAILABLE"]
        for archive in available:
            archive.enter("ABANDONED", self.now())
        if available:
            answer: Response = JSONResponse(self._record(available[0]))
        elif found:
            answer = error(409, f"the archive is {found[0].status}", "ARCHIVE_NOT_AVAILABLE")
        else:
            answer = error(404, "nothing with this id", "NOT_FOUND")
        self.abandon_calls.append(AbandonCall(family, given_id, answer.status_code))
        return answer

    async def _register(self, request: Request) -> Response:
        return self._hooks.answer(
            await request.body(),
            private=self.allow_private_targets,
            unknown_topics=not self.refuse_unknown_topics,
            with_id=self.answers_with_id,
        )

    async def _subscriptions(self, request: Request) -> Response:
        return JSONResponse([subscription_json(one) for one in self.registered.values()])

    async def _unregister(self, request: Request) -> Response:
        if self.registered.pop(request.path_params["id"], None) is None:
            return error(404, "no such subscription", "NOT_FOUND")
        return Response(status_code=204)

    async def _reports(self, request: Request) -> Response:
        one = self.registered.get(request.path_params["id"])
        return JSONResponse(one.reports) if one else error(404, "no such subscription", "NOT_FOUND")

    async def _spec(self, request: Request) -> Response:
        return JSONResponse({"info": {"title": "flexperto"}, "topics": list(TOPICS)})
