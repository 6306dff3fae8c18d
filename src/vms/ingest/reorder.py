"""Puts UDP packets back in order, waiting a bounded time for those that are late."""

from __future__ import annotations

import asyncio

from vms.ingest.rtp_track import RtpTrack

_MOST = 512
"""Packets that may wait; about a second of 4 Mbit/s."""
_MIN_SIZE = 12


class ReorderBuffer:
    """Hands packets to a track in order of their numbers.

    A packet that comes in order goes straight through. One that comes early waits for those
    before it, at most `limit` seconds; then they count as lost.
    """

    def __init__(self, track: RtpTrack, limit: float) -> None:
        self._track = track
        self._limit = limit
        self._held: dict[int, tuple[float, bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def packet(self, data: bytes) -> None:
        """Takes one datagram. Never raises."""
        track = self._track
        expected = track.expected
        if len(data) < _MIN_SIZE or expected < 0:
            track.packet(data, 0, len(data))
            return
        sequence = data[2] << 8 | data[3]
        if sequence == expected:
            track.packet(data, 0, len(data))
            if self._held:
                self._drain()
            return
        ahead = (sequence - expected) & 0xFFFF
        if ahead >= 0x8000 or not self._limit or int.from_bytes(data[8:12], "big") != track.ssrc:
            track.packet(data, 0, len(data))
            return
        self._held.setdefault(sequence, (self._loop.time(), data))
        if len(self._held) > _MOST:
            self._skip()
        if self._timer is None and self._held:
            self._timer = self._loop.call_later(self._limit, self._expire)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._held.clear()

    def _drain(self) -> None:
        """Hand over what now stands in order."""
        held, track = self._held, self._track
        while (entry := held.pop(track.expected, None)) is not None:
            before = track.expected
            track.packet(entry[1], 0, len(entry[1]))
            if track.expected == before:
                break

    def _skip(self) -> None:
        """Give up on the first gap."""
        expected = self._track.expected
        nearest = min(self._held, key=lambda sequence: (sequence - expected) & 0xFFFF)
        _, data = self._held.pop(nearest)
        self._track.packet(data, 0, len(data))
        self._drain()

    def _expire(self) -> None:
        self._timer = None
        deadline = self._loop.time() - self._limit + 0.001
        while self._held:
            oldest = min(came for came, _ in self._held.values())
            if oldest > deadline:
                self._timer = self._loop.call_at(oldest + self._limit, self._expire)
                return
            self._skip()
