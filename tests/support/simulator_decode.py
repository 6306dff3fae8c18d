"""Playing what the simulator sends with FFmpeg, an RTSP client that we did not write."""

from __future__ import annotations

from dataclasses import dataclass

import av

from vms.common.stamp import Stamp, read_stamp


@dataclass(frozen=True, slots=True)
class Played:
    """What came: name and size of the video, stamps of its pictures, name of the audio."""

    codec: str
    size: tuple[int, int]
    stamps: list[Stamp | None]
    audio: str
    audio_frames: int


def play(url: str, transport: str, pictures: int) -> Played:
    """Blocking: decode that many pictures from `url` over `transport` (tcp or udp)."""
    stamps: list[Stamp | None] = []
    audio_frames = 0
    options = {"rtsp_transport": transport, "timeout": "5000000"}
    with av.open(url, options=options) as container:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    stamps.append(read_stamp(frame.reformat(format="gray").to_ndarray()))
                else:
                    audio_frames += 1
            if len(stamps) >= pictures:
                break
        return Played(
            video.codec_context.name,
            (video.width, video.height),
            stamps,
            audio.codec_context.name if audio is not None else "",
            audio_frames,
        )
