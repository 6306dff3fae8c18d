"""STUN against the test vectors of RFC 5769 and against rubbish."""

from __future__ import annotations

import contextlib

import pytest
from aioice import stun as reference
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format import stun

REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
    "1784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
KEY = b"VOkJxbRl1RmTxUk/WvJxBt"
transactions = st.binary(min_size=12, max_size=12)


def test_a_request_of_rfc_5769_verifies():
    message = stun.parse_stun(REQUEST)
    assert message.kind == stun.BINDING_REQUEST
    assert message.attributes[stun.USERNAME] == b"evtj:h6vY"
    assert message.attributes[stun.PRIORITY] == bytes.fromhex("6e0001ff")
    assert message.verify(KEY)
    assert not message.verify(b"another")


@pytest.mark.parametrize(("data", "host"), [
    (RESPONSE, "192.0.2.1"), (RESPONSE_6, "2001:db8:1234:5678:11:2233:4455:6677"),
])  # fmt: skip
def test_responses_of_rfc_5769(data, host):
    message = stun.parse_stun(data)
    assert message.kind == stun.BINDING_SUCCESS
    assert message.verify(KEY)
    value = message.attributes[stun.XOR_MAPPED_ADDRESS]
    assert stun.parse_xor_address(value, message.transaction) == (host, 32853)
    assert stun.xor_address(host, 32853, message.transaction) == value


@given(transactions, st.binary(max_size=40), st.binary(min_size=1, max_size=30))
def test_what_is_built_is_read_by_us_and_by_others(transaction, username, key):
    attributes = [(stun.USERNAME, username), (stun.USE_CANDIDATE, b"")]
    built = stun.build_stun(stun.BINDING_REQUEST, transaction, attributes, key)
    message = stun.parse_stun(built)
    assert message.attributes == {stun.USERNAME: username, stun.USE_CANDIDATE: b""}
    assert message.transaction == transaction
    assert message.verify(key)
    assert not message.verify(key + b"x")
    if username.isascii():
        theirs = reference.parse_message(built)
        assert theirs.check_message_integrity(key)
        assert theirs.transaction_id == transaction


def test_attributes_behind_the_integrity_do_not_count():
    built = stun.build_stun(stun.BINDING_REQUEST, bytes(12), [], KEY)
    extra = bytes.fromhex("00250000")
    forged = bytearray(built[:-8] + extra)
    forged[2:4] = (len(forged) - 20).to_bytes(2, "big")
    message = stun.parse_stun(bytes(forged))
    assert stun.USE_CANDIDATE not in message.attributes
    assert message.verify(KEY)


@given(st.binary(max_size=200))
def test_rubbish_is_only_a_parse_error(data):
    with contextlib.suppress(ParseError):
        stun.parse_stun(data)


@given(st.data())
def test_a_changed_message_is_refused_or_does_not_verify(data):
    at = data.draw(st.integers(0, len(REQUEST) - 9))
    changed = bytearray(REQUEST)
    changed[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ParseError):
        assert not stun.parse_stun(bytes(changed)).verify(KEY)


@given(st.data())
def test_a_cut_message_is_refused(data):
    at = data.draw(st.integers(0, len(REQUEST) - 1))
    with pytest.raises(ParseError):
        stun.parse_stun(REQUEST[:at])


@given(st.binary(max_size=24), transactions)
def test_addresses_raise_only_parse_errors(value, transaction):
    with contextlib.suppress(ParseError):
        stun.parse_xor_address(value, transaction)
