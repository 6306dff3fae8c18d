"""How a simulated camera misbehaves when told to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """Set the fields at any time; they act from the next picture on.

    `drop`: share of RTP packets that are not sent (0 to 1), though their sequence numbers
    count. `swap` and `repeat`: share of packets that come after their follower, or twice.
    `stall`: keep the connection, send nothing. `delay`: seconds that media come late.
    `rtp_jump` and `clock_jump`: seconds added to the RTP time, and to the clock that the
    sender reports tell; both count against the true time, 0 puts it right.
    `no_key`: leave out every key picture. `foreign_ssrc`: mix in packets of another sender.
    `no_reports`: send no RTCP. `mute_audio`: leave out the audio.
    """

    drop: float = 0.0
    swap: float = 0.0
    repeat: float = 0.0
    stall: bool = False
    delay: float = 0.0
    rtp_jump: float = 0.0
    clock_jump: float = 0.0
    no_key: bool = False
    foreign_ssrc: bool = False
    no_reports: bool = False
    mute_audio: bool = False

    @property
    def harm_packets(self) -> bool:
        """Whether packets must be handled one by one."""
        return bool(self.drop or self.swap or self.repeat or self.foreign_ssrc)
