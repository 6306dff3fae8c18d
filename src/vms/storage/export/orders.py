"""From a job's row to what is to be made: cameras, their masks, and the recordings' rows."""

from __future__ import annotations

from typing import Any

from vms.catalog.port import Catalog
from vms.common.errors import NotFound
from vms.common.model.camera import Mask
from vms.common.model.evidence import ExportJob
from vms.common.model.segment import SegmentRow
from vms.storage.export import spec as specs
from vms.storage.export.maker import CameraOrder, Order
from vms.storage.export.spec import Spec

_UNTOLD_NS = 30_000_000_000
"""A file that grows reaches further than its row says."""


class Orders:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def order(self, job: ExportJob, room: int | None) -> Order:
        """Raises InvalidValue where the row cannot be read, CatalogError."""
        spec = specs.parse(job.spec)
        about = job.spec.get("about", {})
        cameras = [await self._camera(one, spec, about.get(one, {})) for one in spec.cameras]
        return Order(job.id, spec, job.owner_name, cameras, room)

    async def _camera(self, identity: str, spec: Spec, about: dict[str, Any]) -> CameraOrder:
        """As it is now, or where it is gone, as it was when the export was asked for."""
        masks: tuple[Mask, ...]
        try:
            camera = await self._catalog.cameras.get(identity)
            name, masks = camera.name, camera.masks
        except NotFound:
            name = about.get("name", identity)
            masks = tuple(
                Mask(tuple((x, y) for x, y in mask["points"]), mask["name"])
                for mask in about.get("masks", ())
            )
        rows = await self._rows(identity, spec)
        return CameraOrder(identity, name, masks if spec.masks else (), rows)

    async def _rows(self, camera: str, spec: Spec) -> list[SegmentRow]:
        rows = await self._catalog.segments.spans(
            camera, spec.stream, spec.start_ns - _UNTOLD_NS, spec.end_ns
        )
        return [row for row in rows if not row.closed or row.end_ns > spec.start_ns]

    async def estimate(self, spec: Spec) -> int | None:
        """About how many bytes of it are recorded, by the rows alone; None: nothing is."""
        size, found = 0.0, False
        for camera in spec.cameras:
            for row in await self._rows(camera, spec):
                lasts = max(1, row.end_ns - row.start_ns)
                within = min(row.end_ns, spec.end_ns) - max(row.start_ns, spec.start_ns)
                size += row.size * min(1.0, max(0, within) / lasts)
                found = True
        return round(size) if found else None
