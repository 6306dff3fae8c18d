"""Calendars and masks as people type them on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vms.common.errors import InvalidValue
from vms.common.model.camera import Mask
from vms.common.model.schedule import HOLIDAY, RecordingMode, Schedule, Slot

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
_EXAMPLE = "'mon-fri 08:00-18:00 event'"
_SLOT = re.compile(r"\s*(\S+)\s+(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)\s+(\S+)\s*", re.ASCII)
_LONGEST = 200


def parse_schedule(slots: Sequence[str], zone: str, holidays: Sequence[str] = ()) -> Schedule:
    """Of slots such as 'mon-fri,holiday 08:00-18:00 event'. Raises InvalidValue."""
    return Schedule(zone, tuple(one for text in slots for one in _slots(text)), tuple(holidays))


def slot_texts(schedule: Schedule) -> list[str]:
    """Each slot as `parse_schedule` takes it."""
    return [
        f"{DAYS[slot.day]} {_clock(slot.start_minute)}-{_clock(slot.end_minute)} {slot.mode.value}"
        for slot in schedule.slots
    ]


def parse_mask(text: str) -> Mask:
    """Of 'Window: 0.1,0.2 0.3,0.2 0.3,0.4' (a name is not needed). Raises InvalidValue."""
    name, colon, points = text[:2000].rpartition(":")
    try:
        pairs = [tuple(float(part) for part in point.split(",")) for point in points.split()]
        found = tuple((x, y) for x, y in pairs)
    except ValueError as error:
        raise InvalidValue(
            f"mask {text[:60]!r} must look like 'Window: 0.1,0.2 0.3,0.2 0.3,0.4', "
            "with parts of the picture's width and height"
        ) from error
    return Mask(found, name.strip() if colon else "")


def _slots(text: str) -> Iterator[Slot]:
    found = _SLOT.fullmatch(text[:_LONGEST])
    if found is None:
        raise InvalidValue(f"slot {text[:60]!r} must look like {_EXAMPLE}")
    days, hour, minute, end_hour, end_minute, mode = found.groups()
    if mode not in {m.value for m in RecordingMode}:
        raise InvalidValue(f"slot {text[:60]!r}: continuous, event or off may stand at its end")
    for day in sorted(set(_days(days, text))):
        start, end = _minutes(hour, minute, text), _minutes(end_hour, end_minute, text)
        yield Slot(day, start, end, RecordingMode(mode))


def _days(text: str, slot: str) -> Iterator[int]:
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if part == "all":
            yield from range(HOLIDAY)
        elif first in DAYS and not dash:
            yield DAYS.index(first)
        elif first in DAYS[:HOLIDAY] and last in DAYS[:HOLIDAY]:
            begin, end = DAYS.index(first), DAYS.index(last)
            # 'sat-mon' goes over the end of the week.
            yield from (day % 7 for day in range(begin, end + (7 if end < begin else 0) + 1))
        else:
            raise InvalidValue(f"slot {slot[:60]!r}: days are {', '.join(DAYS)}, or all")


def _minutes(hour: str, minute: str, slot: str) -> int:
    if int(minute) > 59 or int(hour) > 24:
        raise InvalidValue(f"slot {slot[:60]!r}: {hour}:{minute} is no time of a day")
    return int(hour) * 60 + int(minute)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
