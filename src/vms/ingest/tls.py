"""TLS to cameras: encrypted always, verified as far as the settings ask.

Certificates of cameras are nearly all signed by themselves, so the default accepts any and
protects against listening only. `tls_pins` names the one certificate of a host, which also
protects against somebody in between; `tls_verify = "full"` asks for a known authority.
"""

from __future__ import annotations

import hashlib
import ssl
from functools import lru_cache
from pathlib import Path

from vms.common.errors import ConfigError, SourceRefused
from vms.ingest.settings import IngestSettings, TlsVerify


def client_context(settings: IngestSettings) -> ssl.SSLContext:
    """The context for connections to cameras. Raises ConfigError for an unreadable CA file."""
    return _context(settings.tls_verify, settings.tls_ca_file)


@lru_cache(maxsize=8)
def _context(verify: TlsVerify, ca_file: Path | None) -> ssl.SSLContext:
    if verify is TlsVerify.FULL:
        try:
            return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except OSError as error:
            raise ConfigError(
                f"ingest.tls_ca_file {ca_file} cannot be read: {error.strerror or error}"
            ) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER form, 64 hex digits."""
    return hashlib.sha256(certificate).hexdigest()


def check_pin(settings: IngestSettings, host: str, certificate: bytes) -> None:
    """Raises SourceRefused where the settings name another certificate for `host`."""
    wanted = settings.tls_pins.get(host.lower())
    if wanted and fingerprint(certificate) != wanted:
        raise SourceRefused(
            f"{host} shows a certificate other than the one in ingest.tls_pins "
            f"(SHA-256 {fingerprint(certificate)}); if the camera was replaced, set the new one, "
            f"else somebody may be in between"
        )
