"""Views of footage, joined: who scrubs through an hour makes a few entries, and not thousands."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from vms.catalog.port_evidence import AuditNote
from vms.common.model.evidence import canonical

PERIOD_NS = 300 * 1_000_000_000
MAX_SITTINGS = 4096
MAX_PARTS = 16
ENDED = "view-ended"
_MILLISECOND = 1_000_000

Part = tuple[int, int]


@dataclass(slots=True)
class Sitting:
    """One person who looks at one camera in one way, and goes on doing so.

    `parts` are the spans of footage seen, in order and apart from each other.
    """

    first: AuditNote
    parts: list[Part] = field(default_factory=list)
    views: int = 0
    last_ns: int = 0
    heard: int = 0
    told: int = 0
    """Monotonic nanoseconds of the last view, and of the last entry."""
    told_as: tuple[int, tuple[Part, ...]] = (0, ())
    lasting: list[int] = field(default_factory=list)
    """When each live view began that still lasts."""

    def see(self, note: AuditNote, now: int) -> None:
        self.views += 1
        self.heard, self.last_ns = now, max(self.last_ns, note.at_ns)
        if note.start_ns is not None:
            self.add(note.start_ns, note.start_ns if note.end_ns is None else note.end_ns)

    def add(self, start_ns: int, end_ns: int) -> None:
        """Join a span to those seen; beyond MAX_PARTS the two nearest become one."""
        found: list[Part] = []
        for part in sorted([*self.parts, (start_ns, end_ns)]):
            if found and part[0] <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], part[1]))
            else:
                found.append(part)
        while len(found) > MAX_PARTS:
            at = min(range(len(found) - 1), key=lambda n: found[n + 1][0] - found[n][1])
            found[at : at + 2] = [(found[at][0], found[at + 1][1])]
        self.parts = found

    def go_on(self, now: int, now_ns: int) -> None:
        """Live views that last have seen all up to now."""
        if self.lasting:
            self.heard, self.last_ns = now, now_ns
        for began in self.lasting:
            self.add(began, max(began, now_ns))

    def entry(self, action: str, now_ns: int) -> AuditNote:
        """What was seen so far, or (`view-ended`) in all."""
        detail: dict[str, Any] = dict(self.first.detail)
        if action == ENDED:
            detail |= {"view": self.first.action, "from": self.first.at_ns // _MILLISECOND}
            detail |= {"to": self.last_ns // _MILLISECOND, "views": self.views}
        if len(self.parts) > 1:
            detail["parts"] = [[a // _MILLISECOND, b // _MILLISECOND] for a, b in self.parts]
        start, end = (self.parts[0][0], self.parts[-1][1]) if self.parts else (None, None)
        return replace(
            self.first, at_ns=now_ns, action=action, start_ns=start, end_ns=end, detail=detail
        )

    def state(self) -> tuple[int, tuple[Part, ...]]:
        return self.views, tuple(self.parts)


class Sittings:
    """All that go on; methods give the entries that are to be written."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Sitting] = OrderedDict()

    def see(self, note: AuditNote, now: int, *, lasts: bool = False) -> list[AuditNote]:
        """A view at `now` (monotonic ns). `lasts`: until `end` is called as often."""
        key = key_of(note)
        sitting = self._open.get(key)
        entries = []
        if sitting is None:
            if len(self._open) >= MAX_SITTINGS:
                entries += self._end(next(iter(self._open)), note.at_ns)
            sitting = self._open[key] = Sitting(note, told=now)
            sitting.see(note, now)
            entries.append(sitting.entry(note.action, note.at_ns))
            sitting.told_as = sitting.state()
        else:
            self._open.move_to_end(key)
            sitting.see(note, now)
        if lasts:
            sitting.lasting.append(note.at_ns)
        return entries

    def end(self, note: AuditNote, now: int, now_ns: int) -> None:
        """A live view that began with `note` is over."""
        sitting = self._open.get(key_of(note))
        if sitting is not None and note.at_ns in sitting.lasting:
            sitting.go_on(now, now_ns)
            sitting.lasting.remove(note.at_ns)

    def tick(self, now: int, now_ns: int) -> list[AuditNote]:
        """Entries of those that go on for five minutes more, and of those that ended."""
        entries = []
        for key, sitting in [*self._open.items()]:
            sitting.go_on(now, now_ns)
            if now - sitting.heard >= PERIOD_NS:
                entries += self._end(key, now_ns)
            elif now - sitting.told >= PERIOD_NS:
                sitting.told = now
                if sitting.state() != sitting.told_as:
                    sitting.told_as = sitting.state()
                    entries.append(sitting.entry(sitting.first.action, now_ns))
        return entries

    def end_all(self, now_ns: int) -> list[AuditNote]:
        return [entry for key in [*self._open] for entry in self._end(key, now_ns)]

    def _end(self, key: str, now_ns: int) -> list[AuditNote]:
        sitting = self._open.pop(key)
        sitting.go_on(sitting.heard, now_ns)
        if sitting.views == 1 and sitting.state() == sitting.told_as:
            # The entry of its beginning says all there is to say.
            return []
        return [sitting.entry(ENDED, now_ns)]


def key_of(note: AuditNote) -> str:
    detail = canonical(note.detail)
    return "\n".join((note.user_id, note.address, note.camera, note.action, detail))
