"""When a stream is recorded and how: a weekly calendar with holidays, in a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from vms.common.errors import InvalidValue

HOLIDAY = 7
"""The day of slots that hold on holidays, in place of those of the weekday."""
MINUTES = 1440
MAX_SLOTS = 400
MAX_HOLIDAYS = 400
_NS = 1_000_000_000
_HORIZON_DAYS = 400


class RecordingMode(StrEnum):
    """How a stream is recorded. SCHEDULE: as its calendar says."""

    CONTINUOUS = "continuous"
    EVENT = "event"
    SCHEDULE = "schedule"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a day. `day` is 0 (Monday) to 6 (Sunday), or 7 for holidays.

    Minutes count from midnight by the wall clock: 0 <= start < end <= 1440. Raises
    InvalidValue.
    """

    day: int
    start_minute: int
    end_minute: int
    mode: RecordingMode

    def __post_init__(self) -> None:
        if not 0 <= self.day <= HOLIDAY:
            raise InvalidValue(f"a slot has day {self.day}; 0 (Monday) to 7 (holiday) are allowed")
        if not 0 <= self.start_minute < self.end_minute <= MINUTES:
            raise InvalidValue(
                f"a slot goes from minute {self.start_minute} to {self.end_minute}; "
                "0 <= start < end <= 1440 is allowed"
            )
        if self.mode is RecordingMode.SCHEDULE:
            raise InvalidValue("a slot of a schedule cannot have the mode 'schedule' itself")


@dataclass(frozen=True)
class Schedule:
    """Slots of the week by the wall clock of `zone` (an IANA name). Outside of them: OFF.

    On `holidays` (ISO dates) only slots of day 7 hold. Slots of one day do not overlap.
    Where clocks go forward, slots within the hour that is not there do not happen; where
    they go back, those within the hour that comes twice happen twice. Raises InvalidValue.
    """

    zone: str
    slots: tuple[Slot, ...]
    holidays: tuple[str, ...] = ()
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _days: tuple[tuple[Slot, ...], ...] = field(init=False, repr=False, compare=False)
    _free: frozenset[date] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.slots) > MAX_SLOTS:
            raise InvalidValue(f"a schedule has {len(self.slots)} slots; {MAX_SLOTS} are allowed")
        if len(self.holidays) > MAX_HOLIDAYS:
            raise InvalidValue(
                f"a schedule has {len(self.holidays)} holidays; {MAX_HOLIDAYS} are allowed"
            )
        days = tuple(
            tuple(sorted((s for s in self.slots if s.day == day), key=lambda s: s.start_minute))
            for day in range(HOLIDAY + 1)
        )
        for slots in days:
            for first, second in pairwise(slots):
                if second.start_minute < first.end_minute:
                    raise InvalidValue(
                        f"two slots of day {first.day} overlap at minute {second.start_minute}"
                    )
        object.__setattr__(self, "_days", days)
        object.__setattr__(self, "_zone", _zone(self.zone))
        object.__setattr__(self, "_free", frozenset(_date(text) for text in self.holidays))

    def mode_at(self, t_ns: int) -> RecordingMode:
        """The mode at a moment (UTC): CONTINUOUS, EVENT or OFF."""
        local = datetime.fromtimestamp(t_ns // _NS, UTC).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        for slot in self._slots(local.date()):
            if slot.start_minute <= minute < slot.end_minute:
                return slot.mode
        return RecordingMode.OFF

    def next_change(self, t_ns: int) -> int | None:
        """The first moment after `t_ns` at which the mode is another one than at `t_ns`.

        UTC nanoseconds; None where there is none in the next 400 days.
        """
        now = self.mode_at(t_ns)
        day = datetime.fromtimestamp(t_ns // _NS, UTC).astimezone(self._zone).date()
        for _ in range(_HORIZON_DAYS):
            if self._whole_day(day) is not now:
                for at_ns in self._moments(day):
                    if at_ns > t_ns and self.mode_at(at_ns) is not now:
                        return at_ns
            day += timedelta(days=1)
        return None

    def _slots(self, day: date) -> tuple[Slot, ...]:
        return self._days[HOLIDAY if day in self._free else day.weekday()]

    def _whole_day(self, day: date) -> RecordingMode | None:
        """The mode of a day that has only one."""
        slots = self._slots(day)
        if not slots:
            return RecordingMode.OFF
        reached = 0
        for slot in slots:
            if slot.start_minute != reached or slot.mode is not slots[0].mode:
                return None
            reached = slot.end_minute
        return slots[0].mode if reached == MINUTES else None

    def _moments(self, day: date) -> list[int]:
        """The moments (UTC nanoseconds) of a day at which the mode may change, in order."""
        minutes = {0} | {m for s in self._slots(day) for m in (s.start_minute, s.end_minute)}
        found = set()
        for minute in minutes:
            wall = datetime.combine(day, time()) + timedelta(minutes=minute)
            found |= {self._utc(wall, fold) for fold in (0, 1)}
        first = self._utc(datetime.combine(day, time()), 0) - 3600
        found |= set(self._steps(first, first + 27 * 3600))
        return sorted(second * _NS for second in found)

    def _utc(self, wall: datetime, fold: int) -> int:
        return int(wall.replace(tzinfo=self._zone, fold=fold).timestamp())

    def _steps(self, start: int, end: int) -> Iterator[int]:
        """The seconds within the span at which the zone's clocks are put forward or back."""
        for at in range(start, end, 3600):
            low, high = at, at + 3600
            before = self._offset(low)
            if self._offset(high) == before:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle) == before else (low, middle)
            yield high

    def _offset(self, second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, UTC).astimezone(self._zone).utcoffset()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise InvalidValue(f"{name[:60]!r} is no time zone; write it as Europe/Lisbon") from error


def _date(text: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidValue(f"holiday {text[:40]!r} must be a date such as 2026-12-25")
