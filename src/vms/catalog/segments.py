"""Rows of recordings. Searches stay within one index range, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    UnaryExpression,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import operators

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port import SegmentTotals
from vms.catalog.port_evidence import CameraUsage
from vms.common.errors import Conflict, NotFound
from vms.common.model.media import Codec
from vms.common.model.segment import MAX_SEGMENT_NS, SegmentRow

_S = t.segments.c
_BATCH = 500

_GROWING = (
    "end_ns",
    "size",
    "frames",
    "key_frames",
    "closed",
    "digest",
    "clock_offset_ns",
    "clock_drift_ppb",
)
"""What changes while a file is written, and when it is closed."""

_EXTEND = (
    update(t.segments)
    .where(_S.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in _GROWING})
)


class Segments:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, segment: SegmentRow) -> None:
        await self.add_many((segment,))

    async def add_many(self, segments: Iterable[SegmentRow]) -> None:
        rows = [_columns(segment) for segment in segments]
        if not rows:
            return
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(t.segments), rows)
            except IntegrityError as error:
                raise Conflict(
                    f"segment {rows[0]['id']!r} ({rows[0]['path']}) or one beside it "
                    "is in the catalog already"
                ) from error

    async def update(self, segment: SegmentRow) -> None:
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(t.segments).where(_S.id == segment.id).values(_columns(segment))
            )
            if changed.rowcount == 0:
                raise _missing(segment.id)

    async def extend_many(self, segments: Iterable[SegmentRow]) -> None:
        # In order of id, so that two writers of PostgreSQL never wait for each other.
        rows = [
            {"row_id": segment.id} | {name: getattr(segment, name) for name in _GROWING}
            for segment in sorted(segments, key=lambda segment: segment.id)
        ]
        if not rows:
            return
        async with self._database.write() as connection:
            await connection.execute(_EXTEND, rows)

    async def close(self, segment: SegmentRow) -> None:
        await self.extend_many((replace(segment, closed=True),))

    async def get(self, segment_id: str) -> SegmentRow:
        found = await self._first(select(t.segments).where(_S.id == segment_id))
        if found is None:
            raise _missing(segment_id)
        return found

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]:
        query = _SPANS if stream is None else _SPANS_OF_STREAM
        values: dict[str, Any] = {"camera": camera, "start_ns": start_ns, "end_ns": end_ns}
        values["from_ns"] = start_ns - MAX_SEGMENT_NS
        if stream is not None:
            values["stream"] = stream
        return await self._glanced(query, values)

    async def stretches(
        self, camera: str, stream: str, start_ns: int, end_ns: int
    ) -> list[tuple[int, int, str]]:
        values = {
            "camera": camera,
            "stream": stream,
            "start_ns": start_ns,
            "end_ns": end_ns,
            "from_ns": start_ns - MAX_SEGMENT_NS,
        }
        rows = await self._database.glance(lambda one: one.execute(_STRETCHES, values).all())
        return [(start, end, mode) for start, end, mode in rows]

    async def at(self, camera: str, stream: str, t_ns: int) -> SegmentRow | None:
        return await self._first(
            select(t.segments)
            .where(*_overlapping(camera, stream, t_ns, t_ns + 1))
            .order_by(_S.start_ns.desc())
            .limit(1)
        )

    async def after(self, camera: str, stream: str, t_ns: int) -> SegmentRow | None:
        found = await self._glanced(_AFTER, {"camera": camera, "stream": stream, "t_ns": t_ns})
        return found[0] if found else None

    async def open_segments(self) -> list[SegmentRow]:
        # Sorted here: with ORDER BY, SQLite would walk the index of that order instead of
        # the small one that holds open segments only.
        found = await self._all(select(t.segments).where(_S.closed.is_(False)))
        return sorted(found, key=lambda row: (row.camera, row.start_ns))

    async def oldest(self, limit: int, camera: str | None = None) -> list[SegmentRow]:
        query = select(t.segments).where(_S.closed.is_(True)).order_by(_S.start_ns).limit(limit)
        return await self._all(query if camera is None else query.where(_S.camera == camera))

    async def of_volume(
        self, volume: str, limit: int, before_ns: int | None = None
    ) -> list[SegmentRow]:
        query = select(t.segments).where(_S.volume == volume, _S.closed.is_(True))
        if before_ns is not None:
            query = query.where(_S.start_ns < before_ns)
        return await self._all(query.order_by(_S.start_ns).limit(limit))

    async def page(
        self,
        limit: int,
        after: tuple[int, str] = (-1, ""),
        camera: str | None = None,
        volume: str | None = None,
    ) -> list[SegmentRow]:
        begins, row_id = after
        query = select(t.segments).where(
            _S.closed.is_(True),
            _S.start_ns >= begins,
            or_(_S.start_ns > begins, _S.id > row_id),
        )
        if camera is not None:
            query = query.where(_S.camera == camera)
        if volume is not None:
            query = query.where(_S.volume == volume)
        return await self._all(query.order_by(_S.start_ns, _S.id).limit(limit))

    async def known_paths(self, volume: str, prefix: str = "") -> set[str]:
        query = select(_S.path).where(_S.volume == volume)
        if self._database.dialect == "sqlite":
            # Its LIKE takes no heed of case, and no index.
            query = query.where(_S.path >= prefix, _S.path < prefix + "\U0010ffff")
        else:
            query = query.where(_S.path.startswith(prefix, autoescape=True))
        async with self._database.read() as connection:
            return set(await connection.scalars(query))

    async def move(self, segment_id: str, volume: str, path: str) -> None:
        async with self._database.write() as connection:
            try:
                moved = await connection.execute(
                    update(t.segments).where(_S.id == segment_id).values(volume=volume, path=path)
                )
            except IntegrityError as error:
                raise Conflict(f"volume {volume!r} has a segment {path!r} already") from error
            if moved.rowcount == 0:
                raise _missing(segment_id)

    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]:
        key = (_S.camera, _S.stream, _S.volume)
        query = (
            select(
                *key, func.count(), func.sum(_S.size), func.min(_S.start_ns), func.max(_S.end_ns)
            )
            .group_by(*map(self._as_read, key))
            .order_by(*key)
        )
        if since_ns is not None:
            query = query.where(_S.start_ns >= since_ns)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            CameraUsage(camera, stream, volume, count, int(size), oldest, newest)
            for camera, stream, volume, count, size, oldest, newest in rows
        ]

    def _as_read(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """The column, to group by as rows lie in the table.

        SQLite would go by an index of it, and from there seek each row of the whole table:
        of a million, half a minute instead of two seconds.
        """
        if self._database.dialect != "sqlite":
            return column
        return UnaryExpression(column, operator=operators.custom_op("+"))

    async def days(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int, zone: tzinfo
    ) -> list[date]:
        query = select(_S.start_ns, _S.end_ns).where(
            *_overlapping(camera, stream, start_ns, end_ns)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found: set[date] = set()
        for first, end in rows:
            # No segment lasts as long as a day, so that its two ends name all its days.
            found.add(_day(max(first, start_ns), zone))
            found.add(_day(min(end, end_ns) - 1, zone))
        return sorted(found)

    async def totals(self, camera: str | None = None) -> SegmentTotals:
        query = select(
            func.count(), func.sum(_S.size), func.min(_S.start_ns), func.max(_S.end_ns)
        ).select_from(t.segments)
        if camera is not None:
            query = query.where(_S.camera == camera)
        async with self._database.read() as connection:
            count, size, oldest, newest = (await connection.execute(query)).one()
        return SegmentTotals(count, int(size or 0), oldest, newest)

    async def remove(self, segment_id: str) -> None:
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.segments).where(_S.id == segment_id))
            if removed.rowcount == 0:
                raise _missing(segment_id)

    async def remove_many(self, segment_ids: Iterable[str]) -> None:
        ids = sorted(segment_ids)
        if not ids:
            return
        async with self._database.write() as connection:
            for i in range(0, len(ids), _BATCH):
                await connection.execute(delete(t.segments).where(_S.id.in_(ids[i : i + _BATCH])))

    async def remove_unheld(self, segment_ids: Iterable[str], now_ns: int) -> set[str]:
        ids = sorted(segment_ids)
        held = exists(t.holds.c.id).where(
            t.holds.c.camera == _S.camera,
            t.holds.c.start_ns < _S.end_ns,
            t.holds.c.end_ns > _S.start_ns,
            t.holds.c.released_ns.is_(None),
            or_(t.holds.c.until_ns.is_(None), t.holds.c.until_ns > now_ns),
        )
        removed: set[str] = set()
        if not ids:
            return removed
        async with self._database.write() as connection:
            for i in range(0, len(ids), _BATCH):
                wanted = (_S.id.in_(ids[i : i + _BATCH]), _S.closed.is_(True), ~held)
                found = await connection.execute(delete(t.segments).where(*wanted).returning(_S.id))
                removed.update(found.scalars())
        return removed

    async def _first(self, query: Select[Any]) -> SegmentRow | None:
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _segment(row)

    async def _glanced(self, query: Select[Any], values: dict[str, Any]) -> list[SegmentRow]:
        rows = await self._database.glance(lambda one: one.execute(query, values).all())
        return [_segment(row) for row in rows]

    async def _all(self, query: Select[Any]) -> list[SegmentRow]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_segment(row) for row in rows]


def _overlapping(
    camera: str, stream: str | None, start_ns: int, end_ns: int
) -> tuple[ColumnElement[bool], ...]:
    conditions = (
        _S.camera == camera,
        _S.start_ns > start_ns - MAX_SEGMENT_NS,
        _S.start_ns < end_ns,
        _S.end_ns > start_ns,
    )
    return conditions if stream is None else (*conditions, _S.stream == stream)


# Made once: what is asked for each picture that somebody looks at.
_SPANS = (
    select(t.segments)
    .where(
        _S.camera == bindparam("camera"),
        _S.start_ns > bindparam("from_ns"),
        _S.start_ns < bindparam("end_ns"),
        _S.end_ns > bindparam("start_ns"),
    )
    .order_by(_S.start_ns, _S.stream)
)
_SPANS_OF_STREAM = _SPANS.where(_S.stream == bindparam("stream"))
_STRETCHES = _SPANS_OF_STREAM.with_only_columns(_S.start_ns, _S.end_ns, _S.mode)
_AFTER = (
    select(t.segments)
    .where(
        _S.camera == bindparam("camera"),
        _S.stream == bindparam("stream"),
        _S.start_ns >= bindparam("t_ns"),
    )
    .order_by(_S.start_ns)
    .limit(1)
)


def _columns(segment: SegmentRow) -> dict[str, Any]:
    return asdict(segment) | {"codec": segment.codec.value}


def _segment(row: Row[Any]) -> SegmentRow:
    values = row._asdict()
    return SegmentRow(**(values | {"codec": Codec(values["codec"])}))


def _day(t_ns: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(t_ns // 1_000_000_000, UTC).astimezone(zone).date()


def _missing(segment_id: str) -> NotFound:
    return NotFound(f"no segment {segment_id[:100]!r}")
