"""The address of a stream: checked before anything is opened, and never shown with a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vms.common.errors import ConfigError
from vms.common.secret import Secret, redact, split_credentials
from vms.ingest.settings import IngestSettings

RTSP_SCHEMES = {"rtsp": 554, "rtsps": 322}
_NETWORK_SCHEMES = {**RTSP_SCHEMES, "http": 80, "https": 443, "rtmp": 1935}
_KNOWN = "rtsp, rtsps, http, https, rtmp, file or v4l2"
_MAX_LENGTH = 2048
_PASSWORDS = re.compile(r"(?i)((?:pass|passwd|password|pwd)[=_:])[^&/;?]*")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` holds no credentials. `path` is set for files and devices of this machine."""

    url: str
    scheme: str
    host: str = ""
    port: int = 0
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    path: Path | None = None

    @property
    def shown(self) -> str:
        """For people: without what may hold a secret."""
        return shown(self.url)

    @property
    def is_rtsp(self) -> bool:
        return self.scheme in RTSP_SCHEMES

    @property
    def tls(self) -> bool:
        return self.scheme == "rtsps"


def shown(url: str) -> str:
    """`url` for messages: no credentials, no query, and no `password=` as some cameras have
    it in the path."""
    return _PASSWORDS.sub(r"\1***", redact(url).partition("?")[0])[:200]


def parse_address(
    url: str, settings: IngestSettings, username: str = "", password: Secret | None = None
) -> Address:
    """Check `url`; `username` and `password` win over those in it.

    Raises ConfigError saying what is wrong. Schemes other than the known are refused, and
    files and devices of this machine unless the settings name them: an address may come
    from somebody who may add cameras and must not read this machine.
    """
    if len(url) > _MAX_LENGTH or any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in url):
        raise ConfigError(
            "the address is longer than 2048 characters or holds spaces or control characters; "
            "encode them as %20 and the like"
        )
    try:
        bare, own_name, own_password = split_credentials(url)
        parts = urlsplit(bare)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise ConfigError(
            f"{shown(url)} is not an address; write it as rtsp://host:554/path"
        ) from None
    scheme = parts.scheme.lower()
    if scheme == "file":
        return Address(bare, scheme, path=_allowed_file(parts.netloc, parts.path, settings))
    if scheme == "v4l2":
        return Address(bare, scheme, path=_allowed_device(parts.path, settings))
    if scheme not in _NETWORK_SCHEMES:
        raise ConfigError(
            f"{shown(bare)[:80]} does not begin with one of {_KNOWN}; correct the address"
        )
    if not host:
        raise ConfigError(f"{shown(bare)} names no host; write it as {scheme}://host:port/path")
    if port == 0:
        raise ConfigError(f"{shown(bare)} names port 0; cameras mostly use 554")
    if not username:
        username, password = own_name, own_password
    return Address(
        bare, scheme, host, port or _NETWORK_SCHEMES[scheme], username, password or Secret("")
    )


def _allowed_file(netloc: str, path: str, settings: IngestSettings) -> Path:
    if netloc not in ("", "localhost"):
        raise ConfigError("a file address has no host; write it as file:///directory/name.mp4")
    file = Path(unquote(path)).resolve()
    for root in settings.file_roots:
        if file.is_relative_to(root.resolve()):
            return file
    raise ConfigError(
        f"file {file} is not below a directory of the setting ingest.file_roots; "
        f"add its directory there if it should play a camera"
    )


def _allowed_device(path: str, settings: IngestSettings) -> Path:
    device = Path(path)
    number = path.removeprefix("/dev/video")
    if number == path or not number.isdigit():
        raise ConfigError("a local camera is written as v4l2:///dev/video0")
    if not settings.video_devices:
        raise ConfigError(
            f"{device} may not be opened; set ingest.video_devices to true to allow it"
        )
    return device
