"""Rows of cameras and their streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.forms import masks_of, masks_text, schedule_of, schedule_text
from vms.catalog.seal import Seal
from vms.common.errors import Conflict, NotFound
from vms.common.model.camera import Camera, Mask, RecordingMode, StreamConfig, Transport, check_id

_EXISTS = select(exists().where(t.cameras.c.id == bindparam("camera_id")))
_MASKS = select(t.cameras.c.masks).where(t.cameras.c.id == bindparam("camera_id"))
_GET = select(t.cameras).where(t.cameras.c.id == bindparam("camera_id"))
_STREAMS = (
    select(t.streams)
    .where(t.streams.c.camera_id == bindparam("camera_id"))
    .order_by(t.streams.c.position)
)


class Cameras:
    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def list(self) -> tuple[Camera, ...]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.cameras).order_by(t.cameras.c.id))).all()
            streams = (
                await connection.execute(
                    select(t.streams).order_by(t.streams.c.camera_id, t.streams.c.position)
                )
            ).all()
        by_camera: dict[str, _Rows] = {}
        for stream in streams:
            by_camera.setdefault(stream.camera_id, []).append(stream)
        return tuple(self._camera(row, by_camera.get(row.id, ())) for row in rows)

    async def get(self, camera_id: str) -> Camera:
        wanted = {"camera_id": camera_id}

        def read(connection: Connection) -> tuple[Row[Any] | None, Sequence[Row[Any]]]:
            row = connection.execute(_GET, wanted).one_or_none()
            return row, connection.execute(_STREAMS, wanted).all()

        row, streams = await self._database.glance(read)
        if row is None:
            raise _missing(camera_id)
        return self._camera(row, streams)

    async def exists(self, camera_id: str) -> bool:
        wanted = {"camera_id": camera_id}
        return bool(await self._database.glance(lambda one: one.scalar(_EXISTS, wanted)))

    async def masks(self, camera_id: str) -> tuple[Mask, ...]:
        wanted = {"camera_id": camera_id}
        text = await self._database.glance(lambda one: one.scalar(_MASKS, wanted))
        if text is None:
            raise _missing(camera_id)
        return masks_of(text)

    async def add(self, camera: Camera) -> None:
        _check(camera)
        async with self._database.write() as connection:
            if await connection.scalar(_EXISTS, {"camera_id": camera.id}):
                raise Conflict(f"there is a camera {camera.id!r} already; choose another id")
            await connection.execute(insert(t.cameras).values(self._columns(camera)))
            await _add_streams(connection, camera)

    async def update(self, camera: Camera) -> None:
        _check(camera)
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(t.cameras).where(t.cameras.c.id == camera.id).values(self._columns(camera))
            )
            if changed.rowcount == 0:
                raise _missing(camera.id)
            await connection.execute(delete(t.streams).where(t.streams.c.camera_id == camera.id))
            await _add_streams(connection, camera)

    async def remove(self, camera_id: str) -> None:
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.cameras).where(t.cameras.c.id == camera_id))
            if removed.rowcount == 0:
                raise _missing(camera_id)
            # Else a later camera of the same id would be seen by those who saw this one.
            await connection.execute(delete(t.grants).where(t.grants.c.camera == camera_id))

    def _columns(self, camera: Camera) -> dict[str, Any]:
        return {
            "id": camera.id,
            "name": camera.name,
            "enabled": camera.enabled,
            "username": camera.username,
            "password": self._seal.seal(camera.password, _place(camera.id)),
            "masks": masks_text(camera.masks),
            "onvif": camera.onvif,
        }

    def _camera(self, row: Row[Any], streams: Sequence[Row[Any]]) -> Camera:
        return Camera(
            id=row.id,
            name=row.name,
            streams=tuple(_stream(stream) for stream in streams),
            username=row.username,
            password=self._seal.open(row.password, _place(row.id)),
            enabled=row.enabled,
            masks=masks_of(row.masks),
            onvif=row.onvif,
        )


_Rows = list[Row[Any]]


def _stream(row: Row[Any]) -> StreamConfig:
    return StreamConfig(
        name=row.name,
        url=row.url,
        transport=Transport(row.transport),
        recording=RecordingMode(row.recording),
        audio=row.audio,
        pre_roll_s=row.pre_roll_s,
        post_roll_s=row.post_roll_s,
        schedule=schedule_of(row.schedule),
    )


async def _add_streams(connection: AsyncConnection, camera: Camera) -> None:
    if not camera.streams:
        return
    await connection.execute(
        insert(t.streams),
        [
            {
                "camera_id": camera.id,
                "name": stream.name,
                "position": position,
                "url": stream.url,
                "transport": stream.transport.value,
                "recording": stream.recording.value,
                "audio": stream.audio,
                "pre_roll_s": stream.pre_roll_s,
                "post_roll_s": stream.post_roll_s,
                "schedule": schedule_text(stream.schedule),
            }
            for position, stream in enumerate(camera.streams)
        ],
    )


def _check(camera: Camera) -> None:
    check_id(camera.id)
    names = [check_id(stream.name, "stream name") for stream in camera.streams]
    if len(set(names)) != len(names):
        raise Conflict(f"camera {camera.id!r} has two streams of one name")


def _place(camera_id: str) -> str:
    return f"camera {camera_id}"


def _missing(camera_id: str) -> NotFound:
    return NotFound(f"no camera {camera_id[:60]!r}")
