"""Between the messages of the project and those of `proto/vms/v1/messages.proto`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from vms.common.errors import ParseError
from vms.common.model.camera import StreamState, StreamStatus, TrackInfo
from vms.common.model.media import Codec
from vms.common.model.messages import (
    Alarm,
    Command,
    ConfigChanged,
    Message,
    Reply,
    SegmentClosed,
    Trigger,
)
from vms.proto.gen.v1 import media_pb2, messages_pb2

CODECS: dict[Codec, media_pb2.Codec.ValueType] = {
    Codec.H264: media_pb2.CODEC_H264,
    Codec.H265: media_pb2.CODEC_H265,
    Codec.AAC: media_pb2.CODEC_AAC,
    Codec.PCMU: media_pb2.CODEC_PCMU,
    Codec.PCMA: media_pb2.CODEC_PCMA,
    Codec.OPUS: media_pb2.CODEC_OPUS,
}
CODECS_BACK = {number: codec for codec, number in CODECS.items()}

_STATUSES: dict[StreamStatus, messages_pb2.StreamStatus.ValueType] = {
    StreamStatus.DISABLED: messages_pb2.STREAM_STATUS_DISABLED,
    StreamStatus.CONNECTING: messages_pb2.STREAM_STATUS_CONNECTING,
    StreamStatus.ONLINE: messages_pb2.STREAM_STATUS_ONLINE,
    StreamStatus.STALLED: messages_pb2.STREAM_STATUS_STALLED,
    StreamStatus.OFFLINE: messages_pb2.STREAM_STATUS_OFFLINE,
    StreamStatus.HELD: messages_pb2.STREAM_STATUS_HELD,
}
_STATUSES_BACK = {number: status for status, number in _STATUSES.items()}


def stream_state(state: StreamState) -> messages_pb2.StreamState:
    return messages_pb2.StreamState(
        camera=state.camera,
        stream=state.stream,
        status=_STATUSES[state.status],
        since_ns=state.since_ns,
        reason=state.reason,
        run=state.run,
        tracks=[
            messages_pb2.TrackInfo(
                codec=track.codec,
                width=track.width,
                height=track.height,
                frame_rate=track.frame_rate,
                clock_rate=track.clock_rate,
                channels=track.channels,
            )
            for track in state.tracks
        ],
        bitrate=state.bitrate,
        frame_rate=state.frame_rate,
        clock_offset_ns=state.clock_offset_ns,
        packets_lost=state.packets_lost,
        reconnects=state.reconnects,
        fault=state.fault,
    )


def config_changed(notice: ConfigChanged) -> messages_pb2.ConfigChanged:
    return messages_pb2.ConfigChanged(kind=notice.kind, id=notice.id)


def segment_closed(segment: SegmentClosed) -> messages_pb2.SegmentClosed:
    return messages_pb2.SegmentClosed(
        camera=segment.camera,
        stream=segment.stream,
        segment=segment.segment,
        start_ns=segment.start_ns,
        end_ns=segment.end_ns,
        size=segment.size,
    )


def trigger(word: Trigger) -> messages_pb2.Trigger:
    return messages_pb2.Trigger(
        camera=word.camera,
        kind=word.kind,
        source=word.source,
        at_ns=word.at_ns,
        active=word.active,
        id=word.id,
        label=word.label,
        score=word.score,
    )


def alarm(fault: Alarm) -> messages_pb2.Alarm:
    return messages_pb2.Alarm(
        kind=fault.kind,
        subject=fault.subject,
        text=fault.text,
        at_ns=fault.at_ns,
        active=fault.active,
    )


def command(request: Command) -> messages_pb2.Command:
    return messages_pb2.Command(kind=request.kind, body=_to_json(request.body))


def reply(answer: Reply) -> messages_pb2.Reply:
    return messages_pb2.Reply(body=_to_json(answer.body), error=answer.error)


def _to_json(body: Mapping[str, Any]) -> str:
    if not body:
        return ""
    return json.dumps(dict(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _from_json(text: str) -> dict[str, Any]:
    if not text:
        return {}
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ParseError("bus message has a body that is not a JSON object")
    return body


def _read_state(read: messages_pb2.StreamState) -> StreamState:
    status = _STATUSES_BACK.get(read.status)
    if status is None:
        raise ParseError(f"stream state has a status that this side does not know ({read.status})")
    return StreamState(
        camera=read.camera,
        stream=read.stream,
        status=status,
        since_ns=read.since_ns,
        reason=read.reason,
        run=read.run,
        tracks=tuple(
            TrackInfo(t.codec, t.width, t.height, t.frame_rate, t.clock_rate, t.channels)
            for t in read.tracks
        ),
        bitrate=read.bitrate,
        frame_rate=read.frame_rate,
        clock_offset_ns=read.clock_offset_ns if read.HasField("clock_offset_ns") else None,
        packets_lost=read.packets_lost,
        reconnects=read.reconnects,
        fault=read.fault,
    )


def _read_config(read: messages_pb2.ConfigChanged) -> ConfigChanged:
    return ConfigChanged(kind=read.kind, id=read.id)


def _read_segment(read: messages_pb2.SegmentClosed) -> SegmentClosed:
    return SegmentClosed(
        camera=read.camera,
        stream=read.stream,
        segment=read.segment,
        start_ns=read.start_ns,
        end_ns=read.end_ns,
        size=read.size,
    )


def _read_trigger(read: messages_pb2.Trigger) -> Trigger:
    return Trigger(
        camera=read.camera,
        kind=read.kind,
        source=read.source,
        at_ns=read.at_ns,
        active=read.active,
        id=read.id,
        label=read.label,
        score=read.score if read.HasField("score") else None,
    )


def _read_alarm(read: messages_pb2.Alarm) -> Alarm:
    return Alarm(
        kind=read.kind, subject=read.subject, text=read.text, at_ns=read.at_ns, active=read.active
    )


def _read_command(read: messages_pb2.Command) -> Command:
    return Command(kind=read.kind, body=_from_json(read.body))


def _read_reply(read: messages_pb2.Reply) -> Reply:
    return Reply(body=_from_json(read.body), error=read.error)


READERS: dict[str, Callable[[Any], Message]] = {
    "stream_state": _read_state,
    "config_changed": _read_config,
    "segment_closed": _read_segment,
    "trigger": _read_trigger,
    "alarm": _read_alarm,
    "command": _read_command,
    "reply": _read_reply,
}
