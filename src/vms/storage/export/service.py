"""Exports as jobs: a queue in the catalog, one or a few made at once, each in a thread.

A job that a dying process left is running still, and goes on behind its last finished file.
While it runs a lock keeps its footage from being deleted; the lock ends with the job, and by
itself a day later where nobody is left to end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import structlog

from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.common.errors import CatalogError, Conflict, NotFound, VmsError
from vms.common.lifecycle import keep_running, stop_task
from vms.common.model.camera import Camera
from vms.common.model.evidence import ExportJob, ExportState, Hold, HoldKind
from vms.storage.export import spec as specs
from vms.storage.export.maker import Made, Maker, Order, check_room
from vms.storage.export.orders import Orders
from vms.storage.export.seal import Sealer
from vms.storage.export.shelf import Shelf, strays
from vms.storage.export.spec import Spec
from vms.storage.export.watch import Ended, Watch
from vms.storage.footage import VolumeOf
from vms.storage.settings import StorageSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_WAITING = 100
_LOOK_S = 5.0
_TELL_S = 1.0
_EXPIRE_S = 60.0
_STOP_S = 2.0
_CANCEL_S = 10.0
_ALL = 100_000
_DAY_NS = 86_400_000_000_000
_SETTLE_NS = 8_000_000_000
"""So long after its end a span is recorded, and the group of pictures over its end is whole."""
_OVER = frozenset({ExportState.DONE, ExportState.FAILED, ExportState.CANCELLED})


@dataclass(frozen=True, slots=True)
class About:
    """What exports say of this system. `page` is the page that verifies a case, where there is
    one; `clock_problem` says what is wrong with the machine's clock, "" where nothing is."""

    version: str
    page: Path | None = None
    clock_problem: Callable[[], str] = lambda: ""


class TooManyExports(VmsError):
    """More wait than this system takes."""

    http_status = 429


class ExportService:
    """`run` makes what is asked for. All methods belong to the event loop's thread."""

    def __init__(
        self, catalog: Catalog, settings: StorageSettings, root: Path, volume_of: VolumeOf,
        clock: Clock, about: About,
    ) -> None:  # fmt: skip
        """`root` is made when it is first needed."""
        self.settings = settings
        self._catalog, self._root, self._volume_of = catalog, root, volume_of
        self._clock = clock
        self._orders = Orders(catalog)
        self._sealer = Sealer(catalog, clock, about.version, about.page, about.clock_problem)
        self._threads = ThreadPoolExecutor(settings.export_jobs, "export")
        self._running: dict[str, Watch] = {}
        self._over: dict[str, asyncio.Event] = {}
        self._cancelled: set[str] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; what is being made then goes on at the next start."""
        await self._tidy()
        bodies = [("exports-expire", self._expire)]
        bodies += [(f"exports-{n}", self._work) for n in range(self.settings.export_jobs)]
        tasks = [asyncio.create_task(keep_running(name, body), name=name) for name, body in bodies]
        try:
            await asyncio.Event().wait()
        finally:
            for watch in self._running.values():
                watch.end()
            await asyncio.gather(*(stop_task(task, _STOP_S + 0.5) for task in tasks))

    async def fingerprint(self) -> tuple[str, bytes]:
        """(fingerprint in hex, public key) of the key that signs cases. Raises CatalogError."""
        key = await self._sealer.key()
        return key.fingerprint, key.public

    async def prepare(
        self, owner_id: str, owner_name: str, spec: Spec, cameras: Mapping[str, Camera]
    ) -> ExportJob:
        """The job as it can be added. Raises TooManyExports, NotFound where nothing of it is
        recorded, NoRoom where it does not fit, OSError, CatalogError."""
        if len(await self._catalog.exports.pending()) >= MAX_WAITING:
            raise TooManyExports(f"{MAX_WAITING} exports wait already; ask again later")
        size = await self._orders.estimate(spec)
        if size is None:
            raise NotFound("nothing is recorded of these cameras in that span")
        room = await self._room("")
        floor = self.settings.min_free_bytes
        await asyncio.to_thread(check_room, self._root, size, floor, room)
        fields = spec.fields() | {"about": {one.id: _about(one) for one in cameras.values()}}
        return ExportJob(
            secrets.token_hex(8), owner_id, owner_name, self._clock.now_ns(),
            ExportState.QUEUED, fields,
        )  # fmt: skip

    async def submit(self, job: ExportJob) -> None:
        """Add it to the queue. Raises CatalogError."""
        await self._catalog.exports.add(job)
        self._wake.set()

    async def cancel(self, identity: str) -> ExportJob:
        """The job as it is then; one that is over stays as it was. Raises CatalogError."""
        job = await self._catalog.exports.get(identity)
        if job.state in _OVER:
            return job
        self._cancelled.add(identity)
        watch = self._running.get(identity)
        if watch is None:
            await self._end(job, ExportState.CANCELLED)
            self._cancelled.discard(identity)
        else:
            watch.end()
            over = self._over[identity]
            try:
                await asyncio.wait_for(over.wait(), _CANCEL_S)
            except TimeoutError:
                log.warning("an export does not end at once", export=identity)
        return await self._catalog.exports.get(identity)

    async def remove(self, identity: str) -> None:
        """Delete it, whatever its state. Raises Conflict where it does not end, CatalogError."""
        job = await self.cancel(identity)
        if job.state not in _OVER:
            raise Conflict("the export has not ended yet; delete it in a moment")
        await asyncio.to_thread(Shelf(self._root, identity).remove)
        await self._catalog.exports.remove(identity)

    def file(self, job: ExportJob) -> Path:
        """Where the file of a job that is done lies."""
        return Shelf(self._root, job.id).whole

    async def _room(self, but: str) -> int | None:
        """How many bytes exports may still take, all but `but`; None: no bound but the disk."""
        most = self.settings.export_max_bytes
        if most is None:
            return None
        jobs = await self._catalog.exports.list(limit=_ALL)
        states = (ExportState.DONE, ExportState.RUNNING)
        return most - sum(job.size for job in jobs if job.id != but and job.state in states)

    async def _tidy(self) -> None:
        """Remove folders that no row speaks of."""
        known = [job.id for job in await self._catalog.exports.list(limit=_ALL)]
        for name in await asyncio.to_thread(strays, self._root, known):
            log.info("folder of no export is removed", folder=str(self._root / name))
            await asyncio.to_thread(Shelf(self._root, name).remove)

    async def _expire(self) -> None:
        while True:
            now = self._clock.now_ns()
            for job in await self._catalog.exports.list(limit=_ALL):
                if job.state in _OVER and job.expires_ns is not None and job.expires_ns <= now:
                    await self._note(job, "export.expired")
                    await self.remove(job.id)
            await self._clock.sleep(_EXPIRE_S)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            job = await self._take()
            if job is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _LOOK_S)
                continue
            try:
                await self._do(job, self._running[job.id])
            finally:
                del self._running[job.id]
                self._cancelled.discard(job.id)
                self._over.pop(job.id).set()

    async def _take(self) -> ExportJob | None:
        for job in await self._catalog.exports.pending():
            if job.id not in self._running and job.id not in self._cancelled:
                folder = Shelf(self._root, job.id).folder
                self._running[job.id] = Watch(folder, self.settings.min_free_bytes)
                self._over[job.id] = asyncio.Event()
                return job
        return None

    async def _do(self, job: ExportJob, watch: Watch) -> None:
        """Make it, or say why not. Raises CatalogError: it is tried again then."""
        job = replace(job, state=ExportState.RUNNING)
        error = ""
        try:
            job = await self._held(job)
            await self._settled(job, watch)
            job = await self._made(job, watch)
            log.info("export is done", export=job.id, size=job.size)
        except Ended:
            if job.id not in self._cancelled:
                return
        except (CatalogError, asyncio.CancelledError) as problem:
            if not isinstance(problem, NotFound):
                raise
            error = str(problem)
        except VmsError as problem:
            error = str(problem)
        except OSError as problem:
            error = f"the disk of exports: {problem.strerror or problem}"
        except Exception as problem:
            log.exception("an export failed in a way nobody foresaw", export=job.id)
            error = f"it failed in a way nobody foresaw ({type(problem).__name__}); see the log"
        if error:
            log.warning("export failed", export=job.id, reason=error)
        if job.state is not ExportState.DONE:
            await asyncio.to_thread(Shelf(self._root, job.id).remove)
            state = ExportState.FAILED if error else ExportState.CANCELLED
            await self._end(job, state, error)

    async def _end(self, job: ExportJob, state: ExportState, error: str = "") -> None:
        await self._release(job)
        expires = self._clock.now_ns() + int(self.settings.export_days * _DAY_NS)
        over = replace(job, state=state, error=error, size=0, result={}, expires_ns=expires)
        if error:
            await self._note(over, "export.failed", error=error)
        await self._catalog.exports.update(over)

    async def _settled(self, job: ExportJob, watch: Watch) -> None:
        until = specs.parse(job.spec).end_ns + _SETTLE_NS
        while (left := until - self._clock.now_ns()) > 0:
            watch.tick(0)
            await self._clock.sleep(min(0.5, left / 1e9, _SETTLE_NS / 1e9))

    async def _made(self, job: ExportJob, watch: Watch) -> ExportJob:
        """The job as it is once it is done."""
        room = await self._room(job.id)
        order = await self._orders.order(job, room)
        shelf = Shelf(self._root, job.id)
        floor = self.settings.min_free_bytes
        maker = Maker(order, shelf, self._volume_of, watch, floor)

        def write() -> None:
            try:
                maker.plan()
                maker.write()
            except BaseException:
                maker.close()
                raise

        job = await self._followed(job, watch, maker, write)
        try:
            files = await self._sealer.files(job, order, maker.made, bare=maker.bare)
        except BaseException:
            maker.close()
            raise

        def seal() -> int:
            try:
                return maker.seal(files)
            finally:
                maker.close()

        size = await self._in_thread(watch, seal)
        return await self._done(job, order, maker.made, size, bare=maker.bare)

    async def _done(
        self, job: ExportJob, order: Order, made: Made, size: int, *, bare: bool
    ) -> ExportJob:
        result = self._sealer.result(job, order, made, bare=bare)
        expires = self._clock.now_ns() + int(self.settings.export_days * _DAY_NS)
        await self._release(job)
        done = replace(
            job, state=ExportState.DONE, progress=1.0, size=size, result=result,
            expires_ns=expires,
        )  # fmt: skip
        await self._note(done, "export.done", size=size, files=len(made.media))
        await self._catalog.exports.update(done)
        return done

    async def _followed(
        self, job: ExportJob, watch: Watch, maker: Maker, work: Callable[[], None]
    ) -> ExportJob:
        """Run `work` in a thread, and tell the catalog how far it is."""
        task = asyncio.create_task(self._in_thread(watch, work))
        renew_ns = self._clock.now_ns() + _DAY_NS // 4
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_TELL_S)
                told = replace(job, progress=round(watch.progress, 3), size=maker.size)
                if told != job and not task.done():
                    await self._catalog.exports.update(told)
                job = told
                if self._clock.now_ns() > renew_ns:
                    job, renew_ns = await self._held(job), renew_ns + _DAY_NS // 4
            await task
        finally:
            if not task.done():
                watch.end()
                await asyncio.wait((task,), timeout=_STOP_S)
                if task.done() and not task.cancelled():
                    task.exception()
        return job

    async def _in_thread(self, watch: Watch, work: Callable[[], T]) -> T:
        """`work` in a thread of exports; where this is cancelled, it is told to end."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            watch.end()
            await asyncio.wait((future,), timeout=_STOP_S)
            if future.done() and not future.cancelled():
                future.exception()
            raise

    async def _held(self, job: ExportJob) -> ExportJob:
        """Lock the footage, or go on locking it."""
        until = self._clock.now_ns() + _DAY_NS
        held: list[str] = list(job.result.get("holds", ()))
        for identity in held:
            hold = await self._catalog.holds.get(identity)
            await self._catalog.holds.update(replace(hold, until_ns=until))
        if held:
            return job
        spec = specs.parse(job.spec)
        holds = [
            Hold(
                secrets.token_hex(8), camera, HoldKind.LOCK, spec.start_ns, spec.end_ns,
                f"export {job.id}", job.owner_id, job.owner_name, self._clock.now_ns(), until,
            )
            for camera in spec.cameras
        ]  # fmt: skip
        job = replace(job, result={"holds": [hold.id for hold in holds]})
        await self._catalog.holds.add_many(holds)
        await self._catalog.exports.update(job)
        return job

    async def _release(self, job: ExportJob) -> None:
        for identity in job.result.get("holds", ()):
            try:
                await self._catalog.holds.release(identity, self._clock.now_ns(), job.owner_name)
            except NotFound:
                continue

    async def _note(self, job: ExportJob, action: str, **detail: Any) -> None:
        start, end = job.spec.get("start"), job.spec.get("end")
        await self._catalog.audit.append(
            self._clock.now_ns(), job.owner_id, job.owner_name, "", action, "",
            start * specs.MILLISECOND if isinstance(start, int) else None,
            end * specs.MILLISECOND if isinstance(end, int) else None,
            {"export": job.id, **detail},
        )  # fmt: skip


def _about(camera: Camera) -> dict[str, Any]:
    """What is kept of a camera that may be gone once the export is made."""
    masks = [{"points": mask.points, "name": mask.name} for mask in camera.masks]
    return {"name": camera.name, "masks": masks}
