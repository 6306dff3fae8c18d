"""Counting pictures from the stamps that the simulator puts into each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from vms.common.model.media import Codec
from vms.common.sei_stamp import STAMP_UUID, unpack_sei_stamp
from vms.format.sei import find_user_data

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265}


@dataclass(slots=True)
class Count:
    """Pictures found, and how many are missing or twice between the first and the last."""

    pictures: int = 0
    missing: int = 0
    repeated: int = 0
    files: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.pictures + other.pictures,
            self.missing + other.missing,
            self.repeated + other.repeated,
            self.files + other.files,
        )


def numbers_in(path: Path) -> list[int]:
    """The stamped numbers of a recording, in order. FFmpeg's demuxer reads the file."""
    with av.open(str(path)) as container:
        codec = _CODECS[container.streams.video[0].codec_context.name]
        found = []
        for packet in container.demux(video=0):
            payload = find_user_data(bytes(packet), codec, STAMP_UUID) if packet.size else None
            if payload is not None and (stamp := unpack_sei_stamp(payload)):
                found.append(stamp.number)
        return found


def count(paths: list[Path]) -> Count:
    """Count over all files of one camera."""
    numbers = [number for path in paths for number in numbers_in(path)]
    if not numbers:
        return Count(files=len(paths))
    unique = set(numbers)
    missing = max(unique) - min(unique) + 1 - len(unique)
    return Count(len(numbers), missing, len(numbers) - len(unique), len(paths))
