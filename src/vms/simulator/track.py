"""One track of one client: gives packets their numbers and times, and reports on them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from vms.format import rtcp
from vms.simulator.camera import Behaviour
from vms.simulator.feed import Feed
from vms.simulator.outputs import Filled, Output
from vms.simulator.packets import Packets, Unit

_SECOND = 1_000_000_000


@dataclass(slots=True)
class SentCount:
    """What a track has sent; `skipped` units were left out as the client was too slow."""

    units: int = 0
    packets: int = 0
    octets: int = 0
    dropped_packets: int = 0
    skipped: int = 0


class SendingTrack:
    """A viewer of a feed. `start` and `stop` may be called again and again."""

    def __init__(self, feed: Feed, output: Output, behaviour: Behaviour, name: str) -> None:
        self._feed = feed
        self._output = output
        self._behaviour = behaviour
        self._name = name
        self.ssrc = random.getrandbits(32)
        start = behaviour.rtp_start
        self.sequence = random.getrandbits(16) if start is None else start[0]
        self._first = random.getrandbits(32) if start is None else start[1]
        self._base = 0
        self._started = False
        self._waiting = True
        self._report_due = 0
        self._random = random.Random(self.ssrc)
        self.sent = SentCount()

    @property
    def playing(self) -> bool:
        return self._started

    def rtp_time(self, mono_ns: int) -> int:
        """The RTP timestamp of that moment."""
        feed = self._feed
        jump = round(feed.faults.rtp_jump * feed.clock_rate)
        ticks = feed.timebase.ticks(mono_ns, feed.clock_rate)
        return (self._base + ticks + jump) & 0xFFFFFFFF

    def prepare(self) -> None:
        """Fix the RTP time, before it is told in the answer to PLAY."""
        if not self._base:
            now = self._feed.timebase.ticks(time.monotonic_ns(), self._feed.clock_rate)
            self._base = self._first - now

    def start(self) -> None:
        if self._started:
            return
        self.prepare()
        self._started = self._waiting = True
        self._report(time.monotonic_ns())
        self._feed.join(self)

    def moved(self, feed: Feed) -> None:
        self._feed = feed
        self._waiting = True

    def stop(self) -> None:
        if self._started:
            self._started = False
            self._feed.leave(self)

    def close(self) -> None:
        if self._started:
            self.stop()
            if not self._feed.faults.no_reports and not self._feed.faults.stall:
                self._output.send_report(
                    rtcp.build_receiver_report(self.ssrc) + rtcp.build_bye([self.ssrc])
                )
        self._output.close()

    def deliver(self, unit: Unit, number: int, capture_ns: int) -> None:
        faults = self._feed.faults
        if self._waiting:
            if unit.stamped and not unit.key and not faults.no_key:
                return
            self._waiting = False
        if not self._output.ready:
            self.sent.skipped += 1
            self._waiting = True
            return
        now = time.monotonic_ns()
        if now >= self._report_due:
            self._report(now)
        rows = list(self._filled(unit, number, self.rtp_time(capture_ns)))
        if faults.harm_packets:
            self._output.send_packets(list(self._harmed(rows)))
        else:
            self._output.send(rows)
        self.sent.units += 1

    def _filled(self, unit: Unit, number: int, timestamp: int) -> Iterator[Filled]:
        channel = self._output.channel
        for packets in (unit.head, unit.stamp(number, time.time_ns()), unit.body):
            if packets is not None:
                yield packets, packets.filled(channel, self.sequence, timestamp, self.ssrc)
                count = len(packets.starts)
                self.sequence = (self.sequence + count) & 0xFFFF
                self.sent.packets += count
                self.sent.octets += packets.octets

    def _harmed(self, rows: list[Filled]) -> Iterator[bytes | memoryview]:
        """The packets as the faults want them."""
        faults, chance = self._feed.faults, self._random.random
        if faults.foreign_ssrc:
            yield self._stranger(rows[-1])
        held: memoryview | None = None
        for packets, copy in rows:
            for packet in packets.split(copy):
                if chance() < faults.drop:
                    self.sent.dropped_packets += 1
                    continue
                if held is None and chance() < faults.swap:
                    held = packet
                    continue
                yield packet
                if chance() < faults.repeat:
                    yield packet
                if held is not None:
                    yield held
                    held = None
        if held is not None:
            yield held

    def _stranger(self, row: Filled) -> bytes:
        """A packet that some other sender might have sent here."""
        packet = bytearray(next(Packets.split(*row)))
        packet[8:12] = (self.ssrc ^ 0x5A5A5A5A).to_bytes(4, "big")
        packet[2:4] = self._random.getrandbits(16).to_bytes(2, "big")
        return bytes(packet)

    def _report(self, now_ns: int) -> None:
        faults = self._feed.faults
        self._report_due = now_ns + round(self._behaviour.report_interval * _SECOND)
        if faults.no_reports:
            return
        wall_ns = self._feed.timebase.wall_ns(now_ns) + round(faults.clock_jump * _SECOND)
        self._output.send_report(
            rtcp.build_sender_report(
                self.ssrc, wall_ns, self.rtp_time(now_ns), self.sent.packets, self.sent.octets
            )
            + rtcp.build_source_description(self.ssrc, self._name)
        )
