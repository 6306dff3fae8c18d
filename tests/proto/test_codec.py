from __future__ import annotations

import contextlib
import importlib.util
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bus_strategies import access_units, fields, others

from vms.common.errors import BusError, ParseError
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.common.model.messages import Command, Message
from vms.proto.codec import decode, encode, encode_parts

ROOT = Path(__file__).resolve().parent.parent.parent
PARAMETERS = CodecParameters(Codec.H264, 90000, (b"sps", b"pps"), 1920, 1080, 25.0)


def unit(data: bytes = b"picture", parameters: CodecParameters = PARAMETERS) -> AccessUnit:
    return AccessUnit("front", "main", 0, "run", 7, parameters, data, 3600, 1_000, None, True)


@given(others)
def test_messages_survive(message: Message) -> None:
    assert decode(encode(message)) == message


@given(access_units)
def test_access_units_survive(original: AccessUnit) -> None:
    back = decode(memoryview(encode(original)))
    assert isinstance(back, AccessUnit)
    assert fields(back) == fields(original)
    assert type(back.data) is bytes


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_parse_error(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        decode(data)


@given(st.one_of(others, access_units), st.data())
def test_damaged_messages_raise_only_parse_error(message: Message, data: st.DataObject) -> None:
    encoded = bytearray(encode(message))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(encoded)))
    for damaged in (encoded, encoded[:cut]):
        with contextlib.suppress(ParseError):
            decode(damaged)


def test_media_is_not_copied_when_encoding_in_parts() -> None:
    original = unit(b"x" * 5000)
    header, payload = encode_parts(original)
    assert payload is original.data
    assert len(header) < 120
    assert header + payload == encode(original)


def test_readers_get_the_same_parameters_until_they_change() -> None:
    first, second = decode(encode(unit())), decode(encode(unit()))
    assert isinstance(first, AccessUnit)
    assert isinstance(second, AccessUnit)
    assert first.parameters is second.parameters
    changed = decode(encode(unit(parameters=CodecParameters(Codec.H265, 90000))))
    assert isinstance(changed, AccessUnit)
    assert changed.parameters.codec is Codec.H265


def test_truncated_media_is_refused() -> None:
    with pytest.raises(ParseError, match="7 bytes of media and has 6"):
        decode(encode(unit())[:-1])


def test_another_version_is_refused_with_advice() -> None:
    with pytest.raises(ParseError, match="version 2"):
        decode(b"\x02" + encode(unit())[1:])


def test_an_envelope_that_lies_about_its_size_is_refused() -> None:
    with pytest.raises(ParseError):
        decode(struct.pack(">BI", 1, 2**32 - 1))


def test_an_empty_envelope_is_refused() -> None:
    with pytest.raises(ParseError, match="no body"):
        decode(struct.pack(">BI", 1, 0))


@pytest.mark.parametrize(
    "message",
    [
        Command("probe", {"bad": object()}),
        Command("probe", {"bad": float("nan")}),
        Command("\ud800", {}),
        AccessUnit("front", "main", -1, "run", 0, PARAMETERS, b"", 0, 0),
    ],
)
def test_what_does_not_fit_is_refused(message: Message) -> None:
    with pytest.raises(BusError, match="cannot be encoded"):
        encode(message)


def test_the_generated_code_is_what_the_proto_files_say(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "proto/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.generate(tmp_path)
    committed = ROOT / "src/vms/proto/gen/v1"
    assert {path.name for path in made} == {path.name for path in committed.glob("*_pb2.*")}
    for path in made:
        assert path.read_text() == (committed / path.name).read_text(), (
            "run: python proto/generate.py"
        )
