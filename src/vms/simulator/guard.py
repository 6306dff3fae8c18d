"""Who may see a camera: Basic and Digest as cameras ask for it (RFC 7616, RFC 7617)."""

from __future__ import annotations

from urllib.parse import urlsplit

from vms.common.errors import ConfigError, ParseError
from vms.format import digest
from vms.simulator.camera import BASIC, MD5, MD5_QOP, SHA256, SimCamera

REALM = "VMS simulator"
# Cameras' RTSP servers rarely ask for a quality of protection, and some clients cannot give it.
_ALGORITHMS: dict[str, tuple[str, tuple[str, ...]]] = {
    MD5: (digest.MD5, ()),
    MD5_QOP: (digest.MD5, ("auth",)),
    SHA256: (digest.SHA256, ("auth",)),
}


class Guard:
    """The challenges of one connection; a nonce is good for as long as it lasts."""

    def __init__(self) -> None:
        self._challenges: dict[str, digest.Challenge] = {}

    def admits(self, camera: SimCamera, authorization: str, method: str, url: str) -> bool:
        """Whether the Authorization header of a request opens `camera`."""
        if not camera.username:
            return True
        if not authorization:
            return False
        try:
            given = digest.parse_authorization(authorization)
        except ParseError:
            return False
        if given.scheme == "digest" and urlsplit(given.uri).path != urlsplit(url).path:
            return False
        return any(
            digest.verify(given, challenge, camera.username, camera.password, method)
            for challenge in self.challenges(camera)
        )

    def challenges(self, camera: SimCamera) -> list[digest.Challenge]:
        """What to ask for, in the camera's order."""
        return [self._challenge(scheme) for scheme in camera.behaviour.schemes]

    def _challenge(self, scheme: str) -> digest.Challenge:
        found = self._challenges.get(scheme)
        if found is None:
            if scheme == BASIC:
                found = digest.Challenge("basic", REALM)
            elif scheme in _ALGORITHMS:
                found = digest.new_challenge(REALM, *_ALGORITHMS[scheme])
            else:
                raise ConfigError(
                    f"no way to sign in called {scheme!r}; use basic, {', '.join(_ALGORITHMS)}"
                )
            self._challenges[scheme] = found
        return found
