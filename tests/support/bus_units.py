"""Access units without a camera behind them."""

from __future__ import annotations

from vms.common.model.media import AccessUnit, Codec, CodecParameters

H264 = CodecParameters(Codec.H264, 90000, (b"\x67sps", b"\x68pps"), 1920, 1080, 25.0)
AAC = CodecParameters(Codec.AAC, 48000, config=b"\x11\x90", channels=2)


def video(
    number: int, *, key: bool = False, size: int = 100, run: str = "run", camera: str = "front"
) -> AccessUnit:
    return AccessUnit(
        camera, "main", 0, run, number, H264, bytes(size), number * 3600, number * 40_000_000,
        key=key,
    )  # fmt: skip


def audio(number: int, *, key: bool = False, size: int = 100, run: str = "run") -> AccessUnit:
    return AccessUnit(
        "front", "main", 1, run, number, AAC, bytes(size), number * 1024, number * 21_333_333,
        key=key,
    )  # fmt: skip
