"""RTSP 1.0 (RFC 2326): requests, responses and interleaved frames, for both sides.

The parser is fed what a connection gives and never copies an interleaved frame: it hands
out the buffer with the range in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vms.common.errors import ParseError

MAX_HEADER = 16 * 1024
"""Bytes of start line and headers."""
MAX_BODY = 64 * 1024
MAX_HEADERS = 128
VERSION = "RTSP/1.0"

REASONS = {
    100: "Continue", 200: "OK", 301: "Moved Permanently", 302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 415: "Unsupported Media Type",
    451: "Parameter Not Understood", 453: "Not Enough Bandwidth", 454: "Session Not Found",
    455: "Method Not Valid in This State", 457: "Invalid Range",
    459: "Aggregate Operation Not Allowed", 461: "Unsupported Transport",
    500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
    505: "RTSP Version Not Supported", 551: "Option Not Supported",
}  # fmt: skip

_DOLLAR = 0x24
_RUN = 3
"""So many times a frame's size must follow it, that looking for more of its kind pays."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")
_START = re.compile(rb"[A-Z_]")
_UNSAFE = re.compile(r"[\r\n\x00]")


class Headers:
    """Header fields in their order; names are compared without regard to case."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items = [(str(name), str(value)) for name, value in pairs]

    def get(self, name: str, default: str = "") -> str:
        """The first value of that name."""
        wanted = name.lower()
        return next((value for key, value in self._items if key.lower() == wanted), default)

    def get_all(self, name: str) -> list[str]:
        """Every value of that name, as of WWW-Authenticate."""
        wanted = name.lower()
        return [value for key, value in self._items if key.lower() == wanted]

    def items(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._items)

    def __contains__(self, name: str) -> bool:
        wanted = name.lower()
        return any(key.lower() == wanted for key, _ in self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({[name for name, _ in self._items]})"


@dataclass(slots=True)
class Request:
    """`url` is `*` or an absolute rtsp URL, without user name and password."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def cseq(self) -> int:
        """The sequence number, -1 where it is missing or no number."""
        return _number(self.headers.get("CSeq"), -1)

    def encode(self) -> bytes:
        return _encode(f"{self.method} {self.url} {VERSION}", self.headers, self.body)


@dataclass(slots=True)
class Response:
    """`reason` is filled in by `encode` where it is empty."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    reason: str = ""

    @property
    def cseq(self) -> int:
        """The sequence number, -1 where it is missing or no number."""
        return _number(self.headers.get("CSeq"), -1)

    def encode(self) -> bytes:
        reason = self.reason or REASONS.get(self.status, "Unknown")
        return _encode(f"{VERSION} {self.status:03d} {reason}", self.headers, self.body)


class Interleaved(NamedTuple):
    """A frame of RTP or RTCP: `data[start:end]`, which came on `channel`."""

    channel: int
    data: bytes
    start: int
    end: int


Message = Request | Response | Interleaved


def _number(text: str, default: int) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else default


def _encode(start_line: str, headers: Headers, body: bytes) -> bytes:
    lines = [start_line]
    for name, value in headers.items():
        if not _TOKEN.match(name):
            raise ParseError(f"header name {name[:40]!r}")
        if name.lower() != "content-length":
            lines.append(f"{name}: {value}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if any(_UNSAFE.search(line) for line in lines):
        raise ParseError("line break or zero inside a header")
    return "\r\n".join((*lines, "", "")).encode("utf-8", "replace") + body


def interleave(channel: int, packet: bytes) -> bytes:
    """A packet in an interleaved frame (RFC 2326 10.12)."""
    return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet


class RtspParser:
    """Cuts what a connection gives into messages; keeps at most one incomplete message.

    With `channels`, interleaved frames go straight to the function of their channel as
    (data, start, end), in order with what `feed` returns only among themselves, and those of
    other channels are counted in `strays`; this costs some 0.3 µs a frame. A function in `runs`
    may then take further whole frames of its channel at once: it is given (data, at, total) and
    answers where it stopped. Without `channels` frames stand among the messages. `data` must be
    bytes: frames refer to it. After a ParseError the connection is of no more use: close it.
    """

    def __init__(
        self,
        channels: Mapping[int, Callable[[bytes, int, int], object]] | None = None,
        runs: Mapping[int, Callable[[bytes, int, int], int]] | None = None,
    ) -> None:
        self._channels = channels
        self._runs = {} if runs is None else runs
        self._rest: list[bytes] = []
        self._have = 0
        self._need = 0
        self.strays = 0

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes; gives the messages now complete."""
        if self._rest:
            have = self._have + len(data)
            if have < self._need:
                self._rest.append(data)
                self._have = have
                return []
            self._rest.append(data)
            data = b"".join(self._rest)
            self._rest = []
        messages: list[Message] = []
        at = self._cut(data, messages)
        rest = len(data) - at
        if rest:
            self._rest.append(data[at:] if at else data)
            self._have = rest
        return messages

    def _cut(self, data: bytes, messages: list[Message]) -> int:
        """Handles all that is whole in `data`; gives where the rest begins."""
        at, total = 0, len(data)
        channels, runs = self._channels, self._runs
        while total - at >= 4:
            if data[at] == _DOLLAR:
                start = at + 4
                end = start + (data[at + 2] << 8 | data[at + 3])
                if end > total:
                    self._need = end - at
                    return at
                channel = data[at + 1]
                at = end
                if channels is None:
                    messages.append(Interleaved(channel, data, start, end))
                elif channel in channels:
                    channels[channel](data, start, end)
                    if total - at > (end - start) * _RUN and channel in runs:
                        at = runs[channel](data, at, total)
                else:
                    self.strays += 1
                continue
            following = self._message(data, at, messages)
            if following == at:
                return at
            at = following
        self._need = 4
        return at

    def _message(self, data: bytes, at: int, messages: list[Message]) -> int:
        """Handles the request or response at `at`; gives `at` back where it is incomplete."""
        begin = at
        while data[at : at + 1] in (b"\r", b"\n"):
            at += 1
        if at > begin:
            return at
        if not _START.match(data, at):
            raise ParseError(f"byte 0x{data[at]:02x} where an RTSP message should begin")
        end = data.find(b"\r\n\r\n", at, at + MAX_HEADER)
        if end < 0:
            if len(data) - at >= MAX_HEADER:
                raise ParseError(f"RTSP headers of more than {MAX_HEADER} bytes")
            self._need = len(data) - at + 1
            return begin
        lines = _lines(data[at:end])
        headers = _headers(lines[1:])
        length = _content_length(headers)
        body_start = end + 4
        body_end = body_start + length
        if body_end > len(data):
            self._need = body_end - begin
            return begin
        messages.append(_build(lines[0], headers, data[body_start:body_end]))
        return body_end


def _lines(block: bytes) -> list[str]:
    """Lines of start line and headers, with folded ones joined (RFC 2068 4.2)."""
    lines: list[str] = []
    for line in block.decode("utf-8", "replace").split("\r\n"):
        if line[:1] in (" ", "\t") and len(lines) > 1:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _headers(lines: list[str]) -> Headers:
    if len(lines) > MAX_HEADERS:
        raise ParseError(f"{len(lines)} RTSP headers")
    items: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not _TOKEN.match(name):
            raise ParseError(f"RTSP header line {line[:40]!r}")
        items.append((name, value.strip()))
    return Headers(items)


def _content_length(headers: Headers) -> int:
    text = headers.get("Content-Length", "0")
    length = _number(text, -1)
    if not 0 <= length <= MAX_BODY:
        raise ParseError(f"Content-Length {text[:40]!r}; at most {MAX_BODY} are accepted")
    return length


def _build(start_line: str, headers: Headers, body: bytes) -> Request | Response:
    words = start_line.split(" ", 2)
    if words[0].startswith("RTSP/"):
        status = words[1] if len(words) > 1 else ""
        if len(status) != 3 or not (status.isascii() and status.isdigit()):
            raise ParseError(f"RTSP status line {start_line[:80]!r}")
        return Response(int(status), headers, body, words[2].strip() if len(words) > 2 else "")
    if len(words) != 3 or not words[2].startswith("RTSP/") or not _TOKEN.match(words[0]):
        raise ParseError(f"RTSP request line {start_line[:40]!r}")
    return Request(words[0], words[1], headers, body)
