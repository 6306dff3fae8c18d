"""Messages of every kind, made by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from vms.common.model.camera import StreamState, StreamStatus, TrackInfo
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

text = st.text(max_size=40)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
rate = st.floats(allow_nan=False)

finite = st.floats(allow_nan=False, allow_infinity=False)

json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
body = st.dictionaries(text, json_value, max_size=5)

codec_parameters = st.builds(
    CodecParameters,
    codec=st.sampled_from(Codec),
    clock_rate=st.integers(1, 2**32 - 1),
    parameter_sets=st.lists(st.binary(max_size=60), max_size=4).map(tuple),
    width=u32,
    height=u32,
    frame_rate=rate,
    config=st.binary(max_size=16),
    channels=u32,
)
access_units = st.builds(
    AccessUnit,
    camera=text,
    stream=text,
    track=u32,
    run=text,
    number=u64,
    parameters=codec_parameters,
    data=st.binary(max_size=3000),
    pts=i64,
    arrival_ns=i64,
    capture_ns=st.none() | i64,
    key=st.booleans(),
    damaged=st.booleans(),
)
stream_states = st.builds(
    StreamState,
    camera=text,
    stream=text,
    status=st.sampled_from(StreamStatus),
    since_ns=i64,
    reason=text,
    run=text,
    tracks=st.lists(st.builds(TrackInfo, text, u32, u32, rate, u32, u32), max_size=3).map(tuple),
    bitrate=u64,
    frame_rate=rate,
    clock_offset_ns=st.none() | i64,
    packets_lost=u64,
    reconnects=u64,
    fault=text,
)
others: st.SearchStrategy[Message] = st.one_of(
    stream_states,
    st.builds(ConfigChanged, text, text),
    st.builds(SegmentClosed, text, text, text, i64, i64, u64),
    st.builds(Trigger, text, text, text, i64, st.booleans(), text, text, st.none() | rate),
    st.builds(Alarm, text, text, text, i64, st.booleans()),
    st.builds(Command, text, body),
    st.builds(Reply, body, text),
)


def fields(unit: AccessUnit) -> tuple[object, ...]:
    """What makes an access unit equal to another, which its class does not say."""
    return tuple(getattr(unit, name) for name in AccessUnit.__slots__)
