"""SRTP keys (RFC 3711) and its AES-GCM packets (RFC 7714), as a sender for many makes them.

AEAD_AES_128_GCM seals payload and tag in one call of a fast library, without state: the
packet index goes into the nonce, so one packet can be sealed twice and gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vms.common.errors import ParseError

GCM_KEY_BYTES = 16
GCM_SALT_BYTES = 12
GCM_TAG_BYTES = 16
CM_KEY_BYTES = 16
CM_SALT_BYTES = 14
CM_TAG_BYTES = 10
_INDEX_MASK = (1 << 48) - 1

LABEL_RTP_KEY = 0
LABEL_RTP_SALT = 2


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Both sides' master keys with their salts behind them, as libsrtp wants them."""

    client: bytes
    server: bytes


def split_keying_material(material: bytes, key_bytes: int, salt_bytes: int) -> MasterKeys:
    """What DTLS exported (RFC 5764 section 4.2): client key, server key, salts. ParseError."""
    if len(material) != 2 * (key_bytes + salt_bytes):
        raise ParseError(f"{len(material)} bytes of SRTP keying material")
    salts = material[2 * key_bytes :]
    return MasterKeys(
        client=material[:key_bytes] + salts[:salt_bytes],
        server=material[key_bytes : 2 * key_bytes] + salts[salt_bytes:],
    )


def derive(master_key: bytes, master_salt: bytes, label: int, length: int) -> bytes:
    """A session key or salt: AES-CM of RFC 3711 section 4.3 at key derivation rate 0."""
    start = bytearray(master_salt.ljust(14, b"\0"))
    start[7] ^= label
    encryptor = Cipher(algorithms.AES(master_key), modes.CTR(bytes(start) + b"\0\0")).encryptor()
    return encryptor.update(bytes(length))


class GcmSealer:
    """Seals packets of one direction of one session with AEAD_AES_128_GCM.

    `encrypt(nonce, payload, header)` and `salt` are open, so that a loop over many packets
    need not call a method for each: nonce = (salt ^ nonce_low(ssrc, index)) in 12 bytes.
    """

    __slots__ = ("encrypt", "salt")

    def __init__(self, master: bytes) -> None:
        key, salt = master[:GCM_KEY_BYTES], master[GCM_KEY_BYTES:]
        session_key = derive(key, salt, LABEL_RTP_KEY, GCM_KEY_BYTES)
        self.encrypt: Callable[[bytes, bytes, bytes], bytes] = AESGCM(session_key).encrypt
        self.salt = int.from_bytes(derive(key, salt, LABEL_RTP_SALT, GCM_SALT_BYTES), "big")

    def seal(self, header: bytes, payload: bytes, low: int) -> bytes:
        """A whole packet; `low` is `nonce_low` of it."""
        return header + self.encrypt((self.salt ^ low).to_bytes(12, "big"), payload, header)


def nonce_low(ssrc: int, index: int) -> int:
    """What a packet adds to the salt: its SSRC and its 48-bit index (ROC and sequence)."""
    return ssrc << 48 | index & _INDEX_MASK
