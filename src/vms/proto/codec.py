"""Messages to bytes and back (`proto/vms/v1/envelope.proto`).

One byte of version, the size of the envelope in 4 bytes, big-endian, the envelope, and
behind it the media of an access unit, untouched. The codec parameters of a track are
encoded once per object and decoded once per distinct bytes, so readers get the same
object until they change, and may compare with `is`.
"""

from __future__ import annotations

import struct

from google.protobuf.message import DecodeError

from vms.common.errors import BusError, ParseError
from vms.common.model.camera import StreamState
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.common.model.messages import (
    Alarm,
    Command,
    ConfigChanged,
    Message,
    Reply,
    SegmentClosed,
    Trigger,
)
from vms.proto import convert
from vms.proto.gen.v1.envelope_pb2 import Envelope
from vms.proto.gen.v1.media_pb2 import CodecParameters as CodecParametersPb

VERSION = 1
_PREFIX = struct.Struct(">BI")
_PREFIX_SIZE = _PREFIX.size
_MAX_CACHED = 4096

_encoded: dict[int, tuple[CodecParameters, bytes]] = {}
"""By identity; the object is kept beside the bytes so that its id stays its own."""
_decoded: dict[bytes, CodecParameters] = {}


def encode(message: Message) -> bytes:
    """The whole message. Raises BusError where a value does not fit its field."""
    header, payload = encode_parts(message)
    return header + payload if payload else header


def encode_parts(message: Message) -> tuple[bytes, bytes]:
    """The message up to its media, and the media itself, not copied.

    Raises BusError where a value does not fit its field.
    """
    try:
        if type(message) is AccessUnit:
            return _encode_unit(message), message.data
        body = _fill(message).SerializeToString()
    except (TypeError, ValueError, OverflowError) as error:
        raise BusError(f"{type(message).__name__} cannot be encoded: {error}") from error
    return _PREFIX.pack(VERSION, len(body)) + body, b""


def decode(data: bytes | bytearray | memoryview) -> Message:
    """The message in `data`; media is copied out once. Raises ParseError."""
    if len(data) < _PREFIX_SIZE:
        raise ParseError(f"bus message of {len(data)} bytes is cut short")
    version, size = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise ParseError(f"bus message has version {version}, not {VERSION}: update this side")
    end = _PREFIX_SIZE + size
    if end > len(data):
        raise ParseError(f"bus message of {len(data)} bytes says that it has {end}")
    try:
        envelope = Envelope.FromString(bytes(data[_PREFIX_SIZE:end]))
        kind = envelope.WhichOneof("body")
        if kind == "access_unit":
            return _decode_unit(envelope, data, end)
        if kind is None:
            raise ParseError("bus message has no body, or one that this side does not know")
        if end != len(data):
            raise ParseError(f"bus message {kind} has {len(data) - end} bytes behind it")
        return convert.READERS[kind](getattr(envelope, kind))
    except (DecodeError, ValueError, RecursionError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError(f"bus message cannot be read: {error}") from error


def _encode_unit(unit: AccessUnit) -> bytes:
    envelope = Envelope()
    header = envelope.access_unit
    header.camera = unit.camera
    header.stream = unit.stream
    header.track = unit.track
    header.run = unit.run
    header.number = unit.number
    header.parameters = _encode_parameters(unit.parameters)
    header.pts = unit.pts
    header.arrival_ns = unit.arrival_ns
    if unit.capture_ns is not None:
        header.capture_ns = unit.capture_ns
    if unit.key:
        header.key = True
    if unit.damaged:
        header.damaged = True
    header.data_size = len(unit.data)
    body = envelope.SerializeToString()
    return _PREFIX.pack(VERSION, len(body)) + body


def _decode_unit(
    envelope: Envelope, data: bytes | bytearray | memoryview, start: int
) -> AccessUnit:
    header = envelope.access_unit
    if header.data_size != len(data) - start:
        raise ParseError(
            f"access unit says {header.data_size} bytes of media and has {len(data) - start}"
        )
    parameters = header.parameters
    known = _decoded.get(parameters)
    if known is None:
        known = _decode_parameters(parameters)
    return AccessUnit(
        header.camera,
        header.stream,
        header.track,
        header.run,
        header.number,
        known,
        bytes(data[start:]),
        header.pts,
        header.arrival_ns,
        header.capture_ns if header.HasField("capture_ns") else None,
        header.key,
        header.damaged,
    )


def _encode_parameters(parameters: CodecParameters) -> bytes:
    known = _encoded.get(id(parameters))
    if known is not None:
        return known[1]
    body = CodecParametersPb(
        codec=convert.CODECS[parameters.codec],
        clock_rate=parameters.clock_rate,
        parameter_sets=parameters.parameter_sets,
        width=parameters.width,
        height=parameters.height,
        frame_rate=parameters.frame_rate,
        config=parameters.config,
        channels=parameters.channels,
    ).SerializeToString()
    if len(_encoded) >= _MAX_CACHED:
        _encoded.clear()
    _encoded[id(parameters)] = (parameters, body)
    return body


def _decode_parameters(body: bytes) -> CodecParameters:
    read = CodecParametersPb.FromString(body)
    codec: Codec | None = convert.CODECS_BACK.get(read.codec)
    if codec is None:
        raise ParseError(f"access unit has a codec that this side does not know ({read.codec})")
    if read.clock_rate == 0:
        raise ParseError("access unit has a clock rate of 0")
    parameters = CodecParameters(
        codec=codec,
        clock_rate=read.clock_rate,
        parameter_sets=tuple(read.parameter_sets),
        width=read.width,
        height=read.height,
        frame_rate=read.frame_rate,
        config=read.config,
        channels=read.channels,
    )
    if len(_decoded) >= _MAX_CACHED:
        _decoded.clear()
    _decoded[body] = parameters
    return parameters


def _fill(message: Message) -> Envelope:
    match message:
        case StreamState():
            return Envelope(stream_state=convert.stream_state(message))
        case ConfigChanged():
            return Envelope(config_changed=convert.config_changed(message))
        case SegmentClosed():
            return Envelope(segment_closed=convert.segment_closed(message))
        case Trigger():
            return Envelope(trigger=convert.trigger(message))
        case Alarm():
            return Envelope(alarm=convert.alarm(message))
        case Command():
            return Envelope(command=convert.command(message))
        case Reply():
            return Envelope(reply=convert.reply(message))
    raise TypeError("it is not a message of the bus")
