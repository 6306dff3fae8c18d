"""SRTP keys and GCM packets against RFC vectors and libsrtp."""

from __future__ import annotations

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format import srtp
from vms.format.rtp import build_header


def test_keys_of_rfc_3711_appendix_b3():
    key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert srtp.derive(key, salt, srtp.LABEL_RTP_KEY, 16) == bytes.fromhex(
        "C61E7A93744F39EE10734AFE3FF7A087"
    )
    assert srtp.derive(key, salt, srtp.LABEL_RTP_SALT, 14) == bytes.fromhex(
        "30CBBC08863D8C85D49DB34A9AE1"
    )


def test_a_packet_of_rfc_7714_section_16():
    sealer = srtp.GcmSealer(bytes(28))
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    # The RFC gives session keys, so the derivation is left out here.
    sealer.encrypt = AESGCM(bytes(range(16))).encrypt
    sealer.salt = int.from_bytes(bytes.fromhex("517569642070726f2071756f"), "big")
    header = bytes.fromhex("8040f17b8041f8d35501a0b2")
    payload = bytes.fromhex(
        "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
    )
    sealed = sealer.seal(header, payload, srtp.nonce_low(0x5501A0B2, 0xF17B))
    assert sealed == header + bytes.fromhex(
        "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b"
        "36de3adf8833899d7f27beb16a9152cf765ee4390cce"
    )


@given(st.binary(min_size=28, max_size=28), st.binary(min_size=1, max_size=1200),
       st.integers(0, 0xFFFF), st.integers(1, 0xFFFFFFFF))  # fmt: skip
def test_libsrtp_opens_what_is_sealed(master, payload, sequence, ssrc):
    policy = pylibsrtp.Policy(
        key=master,
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND,
        srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    )
    head = build_header(96, sequence, 1234, ssrc, True)
    sealed = srtp.GcmSealer(master).seal(head, payload, srtp.nonce_low(ssrc, sequence))
    assert pylibsrtp.Session(policy).unprotect(sealed) == head + payload


def test_keying_material_is_split_in_the_order_of_rfc_5764():
    keys = srtp.split_keying_material(b"C" * 16 + b"S" * 16 + b"c" * 12 + b"s" * 12, 16, 12)
    assert keys.client == b"C" * 16 + b"c" * 12
    assert keys.server == b"S" * 16 + b"s" * 12
    with pytest.raises(ParseError):
        srtp.split_keying_material(b"short", 16, 12)
