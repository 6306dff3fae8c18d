"""Encryption of one viewer's packets, by the profile that DTLS chose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pylibsrtp

from vms.format.srtp import CM_TAG_BYTES, GCM_TAG_BYTES, GcmSealer, MasterKeys, nonce_low
from vms.stream.webrtc.dtls import PROFILE_GCM
from vms.stream.webrtc.pictures import Row


class Sealer(Protocol):
    """RTP of one direction. `overhead` is what sealing adds, in bytes."""

    overhead: int

    def seal_rows(self, rows: Iterable[Row]) -> list[bytes]:
        """Buffers whose bytes in a row are the sealed packets in a row."""
        ...

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes: ...


class _Gcm:
    overhead = GCM_TAG_BYTES

    def __init__(self, master: bytes) -> None:
        self._sealer = GcmSealer(master)

    def seal_rows(self, rows: Iterable[Row]) -> list[bytes]:
        encrypt, salt = self._sealer.encrypt, self._sealer.salt
        buffers: list[bytes] = []
        for header, low, payload in rows:
            buffers.append(header)
            buffers.append(encrypt((salt ^ low).to_bytes(12, "big"), payload, header))
        return buffers

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        return self._sealer.seal(header, payload, nonce_low(ssrc, index))


class _Cm:
    """libsrtp counts roll-overs itself, from the first packet that it seals."""

    overhead = CM_TAG_BYTES

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session

    def seal_rows(self, rows: Iterable[Row]) -> list[bytes]:
        protect = self._session.protect
        return [protect(header + payload) for header, _, payload in rows]

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        return bytes(self._session.protect(header + payload))


class SecureChannel:
    """RTP out, RTCP both ways, for one viewer."""

    def __init__(self, profile: bytes, keys: MasterKeys) -> None:
        gcm = profile == PROFILE_GCM
        number = (
            pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
            if gcm
            else pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
        )
        out = pylibsrtp.Policy(
            key=keys.server,
            ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=number,
        )
        out.allow_repeat_tx = True
        out.window_size = 2048
        inward = pylibsrtp.Policy(
            key=keys.client,
            ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND,
            srtp_profile=number,
        )
        self._out = pylibsrtp.Session(out)
        self._in = pylibsrtp.Session(inward)
        self.rtp: Sealer = _Gcm(keys.server) if gcm else _Cm(self._out)

    def seal_rtcp(self, packet: bytes) -> bytes:
        return bytes(self._out.protect_rtcp(packet))

    def open_rtcp(self, datagram: bytes) -> bytes | None:
        """The compound inside; None where it is not the viewer's, or was seen before."""
        try:
            return bytes(self._in.unprotect_rtcp(datagram))
        except (pylibsrtp.Error, ValueError):
            return None
