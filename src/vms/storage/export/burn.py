"""Pictures with masks painted and text burned in: decoded, changed and encoded anew.

What cannot be decoded is left out, counted, and told in the manifest: a picture is never
passed on as it came where masks apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vms.common.model.media import CodecParameters
from vms.format.font import text_mask
from vms.storage.masked import MaskedVideo
from vms.storage.masking import Outline

_SHARE = 32
"""A line of text takes about one part in so many of the picture's height."""
_WHITE, _BLACK = 235, 16
_MOST_TEXT = 120


class Overlay:
    """Text in the picture: name and time at the top, who exported it at the bottom."""

    def __init__(self, name: str = "", watermark: str = "", zone: tzinfo | None = None) -> None:
        """`zone` is that of the times shown, None: no time is shown."""
        self._name = name[:_MOST_TEXT]
        self._watermark = watermark[:_MOST_TEXT]
        self._zone = zone

    def __bool__(self) -> bool:
        return bool(self._name or self._watermark or self._zone)

    def draw(self, frame: av.VideoFrame, wall_ns: int) -> None:
        """On a frame of yuv420p that belongs to nobody else; `wall_ns` is UTC."""
        scale = max(1, round(frame.height / _SHARE / 9))
        head = self._name
        if self._zone is not None:
            moment = datetime.fromtimestamp(wall_ns // 10**9, self._zone)
            told = f"{moment:%Y-%m-%d %H:%M:%S}.{wall_ns // 10**6 % 1000:03} {moment:%z}"
            head = f"{told}  {head}" if head else told
        if head:
            _write(frame, head, scale, at_top=True)
        if self._watermark:
            _write(frame, self._watermark, scale, at_top=False)


def _write(frame: av.VideoFrame, text: str, scale: int, *, at_top: bool) -> None:
    """White on black, as large as fits in the width; no colour beneath it."""
    while scale > 1 and len(text) * 6 * scale > frame.width - 2 * scale:
        scale -= 1
    ink = text_mask(text, scale)[:, : frame.width - 2 * scale]
    height, width = ink.shape[0] + 2 * scale, ink.shape[1] + 2 * scale
    if height > frame.height:
        return
    luma = np.full((height, width), _BLACK, np.uint8)
    luma[scale:-scale, scale : scale + ink.shape[1]][ink] = _WHITE
    top = 0 if at_top else frame.height - height
    _samples(frame.planes[0])[top : top + height, :width] = luma
    for plane in frame.planes[1:]:
        _samples(plane)[top // 2 : (top + height + 1) // 2, : (width + 1) // 2] = 128


def _samples(plane: Any) -> NDArray[np.uint8]:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


class Burned(MaskedVideo):
    """Takes a track's pictures in decoding order, gives changed ones in the order shown.

    Only those shown from `from_ns` to before `until_ns` come out, so that the first is the
    very picture asked for. `wall_ns` is UTC of time 0.
    """

    def __init__(
        self,
        parameters: CodecParameters,
        masks: Sequence[Outline],
        overlay: Overlay,
        rate: float,
        wall_ns: int,
        from_ns: int,
        until_ns: int,
    ) -> None:
        """`rate` in pictures a second. Raises StorageError where nothing encodes them."""
        # Without masks the painter copies still: what a decoder gave it may yet predict from.
        super().__init__(parameters, masks, rate, "h264")
        self._overlay = overlay
        self._wall_ns, self._span = wall_ns, (from_ns, until_ns)

    def _changed(self, frame: av.VideoFrame, time_ns: int) -> av.VideoFrame | None:
        # Recordings have times in whole milliseconds, ticks are finer.
        if not self._span[0] - 500_000 <= time_ns < self._span[1] - 500_000:
            return None
        changed = super()._changed(frame, time_ns)
        if changed is not None:
            self._overlay.draw(changed, self._wall_ns + time_ns)
        return changed
