"""Reads of an index what is asked for, in a fraction of the time that `index.parse` takes.

Only what is used is looked at: the header, the end, and each group that is asked for, with the
ones before and behind it, which must be in order in time and in the file. Whoever goes through
all groups has looked at all that `parse` looks at. Links are not checked here, as `parse` does
not check them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

from vms.common.errors import ParseError
from vms.format import index as indexes
from vms.format.index_lines import Group, IndexEnd, IndexHeader

# As `index_lines.line` writes them, with numbers that are in range however they are read.
# What is written otherwise is left to `parse`.
_WALL = rb"[1-3][0-9]{18}|[1-9][0-9]{0,17}|0"
_ANY = rb"[1-9][0-9]{0,17}|0"
_SOME = rb"[1-9][0-9]{0,17}"
_GROUP = re.compile(
    rb'\{"t":(' + _WALL + rb'),"c":(null|' + _WALL + rb'),"m":(' + _ANY + rb'),"o":(' + _ANY
    + rb'),"s":(' + _SOME + rb'),"n":(' + _SOME + rb')(?:,"d":(' + _SOME + rb'))?,"g":(' + _ANY
    + rb'),"h":"([0-9a-f]{64})","x":"([0-9a-f]{64})"\}'
)  # fmt: skip
_WALL_LINE = re.compile(rb'\{"t":(' + _WALL + rb'),"c"')
_OFFSET_LINE = re.compile(rb'\{"t":[0-9]+,"c":[0-9nul]+,"m":[0-9]+,"o":(' + _ANY + rb'),"s"')
_BEGINS = b'{"t":'


class Groups(Sequence[Group]):
    """The groups of an index, each read when it is asked for. All raise ParseError."""

    __slots__ = ("_head", "_lines", "_made")

    def __init__(self, head: bytes, lines: list[bytes], made: list[Group]) -> None:
        """`lines` are those of the first groups, `head` is the header's, `made` are the groups
        behind them."""
        self._head, self._lines, self._made = head, lines, made

    def __len__(self) -> int:
        return len(self._lines) + len(self._made)

    def __iter__(self) -> Iterator[Group]:
        return iter(self[:])

    @overload
    def __getitem__(self, place: int) -> Group: ...

    @overload
    def __getitem__(self, place: slice) -> list[Group]: ...

    def __getitem__(self, place: int | slice) -> Group | list[Group]:
        places = range(len(self))[place]
        if isinstance(places, int):
            return self._between(places, places + 1)[0]
        if places.step == 1:
            return self._between(places.start, places.stop)
        return [self[one] for one in places]

    def _between(self, start: int, stop: int) -> list[Group]:
        """With the group before them and the one behind they must be in order."""
        if stop <= start:
            return []
        first = max(0, start - 1)
        found = [self._one(place) for place in range(first, min(len(self), stop + 1))]
        for place, (before, after) in enumerate(pairwise(found), first + 3):
            if (
                after.wall_ns < before.wall_ns
                or after.media_ms < before.media_ms
                or after.offset < before.offset + before.size
            ):
                raise ParseError(f"line {place} of the index lies ahead of the one before")
        return found[start - first : stop - first]

    def _one(self, place: int) -> Group:
        behind = place - len(self._lines)
        if behind >= 0:
            return self._made[behind]
        found = _GROUP.fullmatch(self._lines[place])
        if found is None:
            return self._otherwise(place)
        wall, camera, media, offset, size, pictures, damaged, gap, digest, link = found.groups()
        group = Group(
            int(wall), None if camera == b"null" else int(camera), int(media), int(offset),
            int(size), int(pictures), int(damaged or 0), int(gap), digest.decode(), link.decode(),
        )  # fmt: skip
        return group if group.damaged <= group.pictures else self._otherwise(place)

    def _otherwise(self, place: int) -> Group:
        """A line that is not as this system writes it."""
        try:
            (group,) = indexes.parse(b"%b\n%b\n" % (self._head, self._lines[place])).groups
        except (ParseError, ValueError) as error:
            raise ParseError(f"line {place + 2} of the index: {error}") from None
        return group

    def _number(self, place: int, shape: re.Pattern[bytes]) -> int | None:
        found = shape.match(self._lines[place])
        return int(found[1]) if found else None

    def _wall(self, place: int) -> int:
        number = self._number(place, _WALL_LINE) if place < len(self._lines) else None
        return self._one(place).wall_ns if number is None else number

    def _offset(self, place: int) -> int:
        number = self._number(place, _OFFSET_LINE) if place < len(self._lines) else None
        return self._one(place).offset if number is None else number

    def before(self, wall_ns: int) -> int:
        """How many begin before `wall_ns`."""
        return bisect_left(range(len(self)), wall_ns, key=self._wall)

    def until(self, wall_ns: int) -> int:
        """How many begin at or before `wall_ns`."""
        return bisect_right(range(len(self)), wall_ns, key=self._wall)

    def ahead_of(self, offset: int) -> int:
        """How many lie ahead of `offset` in the file."""
        return bisect_left(range(len(self)), offset, key=self._offset)

    def followed_by(self, count: int, groups: list[Group]) -> Groups:
        """The first `count` of these, and others behind them."""
        kept = max(0, count - len(self._lines))
        return Groups(self._head, self._lines[:count], self._made[:kept] + groups)


@dataclass(slots=True)
class QuickIndex:
    """As `SegmentIndex`; `end` is None while the file grows, or where it was cut off.

    `whole` is set once all groups were looked at.
    """

    header: IndexHeader
    groups: Groups
    end: IndexEnd | None = None
    whole: bool = False

    def look(self) -> None:
        """Look at all groups. Raises ParseError."""
        if not self.whole:
            self.groups[:]
            self.whole = True


def of(index: indexes.SegmentIndex) -> QuickIndex:
    return QuickIndex(index.header, Groups(b"", [], index.groups), index.end, True)


def read(data: bytes) -> QuickIndex:
    """Raises ParseError; what is wrong with a group is found when it is used."""
    return _quickly(data) or of(indexes.parse(data))


def _quickly(data: bytes) -> QuickIndex | None:
    """None where it is not as this system writes it; it may be good nevertheless."""
    lines = data.split(b"\n")[:-1] if len(data) <= indexes.MAX_BYTES else []
    count = len(lines) - 1
    if not 0 < count < indexes.MAX_LINES:
        return None
    while count and not lines[count].startswith(_BEGINS):
        count -= 1
    try:
        rest = b"".join(line + b"\n" for line in (lines[0], *lines[count + 1 :]))
        other = indexes.parse(rest)
    except ParseError:
        return None
    if not count or other.groups or other.header.schema == 1:
        return None
    found = Groups(lines[0], lines[1 : count + 1], [])
    try:
        found[0], found[-1]
    except ParseError:
        return None
    return QuickIndex(other.header, found, other.end)
