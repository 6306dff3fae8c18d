"""User data in SEI messages (H.264 D.1.7, H.265 D.2.7): write one, find one."""

from __future__ import annotations

from vms.common.errors import ParseError
from vms.common.model.media import Codec
from vms.format.bits import escape, unescape

_USER_DATA_UNREGISTERED = 5


def build_stamp_sei(codec: Codec, uuid: bytes, payload: bytes) -> bytes:
    """A SEI NAL unit with `payload` behind the 16 bytes of `uuid`.

    It stands before the first slice of an access unit. ParseError for a wrong uuid.
    """
    if len(uuid) != 16:
        raise ParseError(f"UUID of {len(uuid)} bytes")
    size = 16 + len(payload)
    message = bytearray((_USER_DATA_UNREGISTERED,))
    message += b"\xff" * (size // 255) + bytes((size % 255,))
    message += uuid + payload + b"\x80"
    return _header(codec) + escape(bytes(message))


def _header(codec: Codec) -> bytes:
    if codec is Codec.H264:
        return b"\x06"
    if codec is Codec.H265:
        return b"\x4e\x01"
    raise ParseError(f"{codec} has no SEI")


def find_user_data(data: bytes | memoryview, codec: Codec, uuid: bytes) -> bytes | None:
    """The payload behind `uuid` in the SEI before the first slice, or None.

    `data` is an access unit of length-prefixed NAL units. Raises ParseError where its lengths
    lie; a SEI that cannot be read counts as none.
    """
    header = _header(codec)
    is_h264 = codec is Codec.H264
    at, total = 0, len(data)
    while at < total:
        start = at + 4
        at = start + int.from_bytes(data[at:start], "big")
        if start >= at or at > total:
            raise ParseError(f"NAL unit at byte {start - 4} of {total} ends at byte {at}")
        kind = data[start] & 0x1F if is_h264 else (data[start] >> 1) & 0x3F
        if kind == (6 if is_h264 else 39):
            found = _find(bytes(data[start + len(header) : at]), uuid)
            if found is not None:
                return found
        elif 1 <= kind <= 5 if is_h264 else kind < 32:
            return None
    return None


def _find(nal_payload: bytes, uuid: bytes) -> bytes | None:
    body = unescape(nal_payload)
    at, total = 0, len(body)
    while at + 1 < total:
        kind = size = 0
        while at < total and body[at] == 0xFF:
            kind += 255
            at += 1
        kind += body[at] if at < total else 0
        at += 1
        while at < total and body[at] == 0xFF:
            size += 255
            at += 1
        size += body[at] if at < total else 0
        at += 1
        if at + size > total:
            return None
        if kind == _USER_DATA_UNREGISTERED and size >= 16 and body[at : at + 16] == uuid:
            return body[at + 16 : at + size]
        at += size
    return None
