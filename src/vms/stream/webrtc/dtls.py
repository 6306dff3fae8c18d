"""DTLS as the server of each viewer: one certificate made at start, keys for SRTP out of it."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from vms.common.errors import ParseError, VmsError
from vms.format.srtp import (
    CM_KEY_BYTES,
    CM_SALT_BYTES,
    GCM_KEY_BYTES,
    GCM_SALT_BYTES,
    MasterKeys,
    split_keying_material,
)
from vms.stream.webrtc.offer import Fingerprint

PROFILE_GCM = b"SRTP_AEAD_AES_128_GCM"
PROFILE_CM = b"SRTP_AES128_CM_SHA1_80"
_SIZES = {
    PROFILE_GCM: (GCM_KEY_BYTES, GCM_SALT_BYTES),
    PROFILE_CM: (CM_KEY_BYTES, CM_SALT_BYTES),
}
_MAX_DATAGRAM = 1200
_RECORD_HEADER = 13
_LIFETIME = datetime.timedelta(days=365)


class DtlsError(VmsError):
    """The handshake failed, or the viewer is not the one of the offer."""


class Identity:
    """Our certificate of this process's life, and the context that answers handshakes."""

    def __init__(self, profiles: Sequence[bytes] = (PROFILE_GCM, PROFILE_CM)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vms")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _LIFETIME)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        """SHA-256, as it stands in SDP."""
        self.context = SSL.Context(SSL.DTLS_METHOD)
        # Certificates are self-signed: trust is the fingerprint in the offer, checked later.
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_options(SSL.OP_NO_QUERY_MTU)
        self.context.set_tlsext_use_srtp(b":".join(profiles))


class Dtls:
    """One viewer's handshake and what follows it. Feed datagrams, send what `flush` gives."""

    def __init__(self, identity: Identity, fingerprints: Sequence[Fingerprint]) -> None:
        self._connection = SSL.Connection(identity.context, None)
        self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(_MAX_DATAGRAM)
        self._fingerprints = tuple(fingerprints)
        self.profile = b""
        self.keys: MasterKeys | None = None
        """There once the handshake is done."""
        self.closed = False
        """The viewer said that it ends (close_notify or a fatal alert)."""

    def feed(self, datagram: bytes) -> bool:
        """Take a datagram; True where it completed the handshake. Raises DtlsError."""
        try:
            self._connection.bio_write(datagram)
            if self.keys is not None:
                self._read_alerts()
                return False
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except (SSL.Error, ValueError) as error:
            raise DtlsError(f"DTLS handshake failed: {_reason(error)}") from error
        self._check_peer()
        self._take_keys()
        return True

    def flush(self) -> list[bytes]:
        """Datagrams to send now: whole records, packed up to 1200 bytes each."""
        try:
            pending = self._connection.bio_read(1 << 16)
        except SSL.WantReadError:
            return []
        datagrams: list[bytes] = []
        current = start = 0
        while start + _RECORD_HEADER <= len(pending):
            end = start + _RECORD_HEADER + int.from_bytes(pending[start + 11 : start + 13], "big")
            if end - current > _MAX_DATAGRAM and start > current:
                datagrams.append(pending[current:start])
                current = start
            start = end
        datagrams.append(pending[current:])
        return datagrams

    def on_timer(self) -> None:
        """Let a flight that got no answer be sent again; call it every 100 ms or so."""
        if self.keys is None and not self.closed:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error as error:
                raise DtlsError(f"DTLS handshake failed: {_reason(error)}") from error

    def close(self) -> None:
        """Say goodbye (close_notify); `flush` then gives what to send."""
        self.closed = True
        try:
            self._connection.shutdown()
        except SSL.Error:
            return

    def _read_alerts(self) -> None:
        try:
            while self._connection.recv(4096):
                pass
        except SSL.WantReadError:
            if self._connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                self.closed = True
        except SSL.Error:
            self.closed = True

    def _check_peer(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise DtlsError("the viewer showed no certificate")
        der = certificate.public_bytes(serialization.Encoding.DER)
        for known in self._fingerprints:
            if hashlib.new(known.algorithm.replace("-", ""), der).digest() == known.digest:
                return
        raise DtlsError("the viewer's certificate is not the one of its offer")

    def _take_keys(self) -> None:
        self.profile = self._connection.get_selected_srtp_profile()
        sizes = _SIZES.get(self.profile)
        if sizes is None:
            raise DtlsError("the viewer knows none of our SRTP profiles")
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * sum(sizes))
        try:
            self.keys = split_keying_material(material, *sizes)
        except ParseError as error:
            raise DtlsError(str(error)) from error


def _reason(error: Exception) -> str:
    details = error.args[0] if error.args else ""
    if isinstance(details, list) and details:
        return str(details[0][-1])
    return str(details) or type(error).__name__
