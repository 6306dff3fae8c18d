"""Requests with authentication, and what the answers mean to a person."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from vms.common.errors import (
    ParseError,
    SourceAuthError,
    SourceProtocolError,
    SourceRefused,
)
from vms.format.digest import Challenge, authorization, parse_challenges, strongest
from vms.format.rtsp import Response
from vms.ingest.address import Address, shown
from vms.ingest.rtsp_connection import RtspConnection

_OK = range(200, 300)
_REDIRECT = range(300, 400)
_UNAUTHORIZED = 401
_NO_SESSION = 454
_OF_CAMERA = (453, _NO_SESSION, 455)
"""What passes without anybody changing a setting."""
_SERVER_ERROR = 500

_REFUSALS = {
    400: "does not accept our request (400); its firmware may need an update",
    403: "forbids it (403); check the user's rights in the camera",
    404: "has no such stream (404); check the path of the address",
    406: "offers no description we can read (406)",
    453: "has no bandwidth or session left (453); close other viewers of this camera",
    454: "forgot our session (454); connecting again",
    455: "is not ready to play (455); connecting again",
    461: "does not offer this transport (461); choose TCP instead of UDP, or the reverse",
    503: "is busy or starting (503); trying again",
}


class Requester:
    """Sends requests of one session and answers challenges (RFC 7616, RFC 7617).

    A password goes out only where the server asks for it, once per challenge: a second
    refusal is an error, so that no camera counts more attempts than there were.
    """

    def __init__(self, connection: RtspConnection, address: Address, timeout: float) -> None:
        self.session = ""
        self.keep_alive_method = "OPTIONS"
        self._connection = connection
        self._address = address
        self._timeout = timeout
        self._challenge: Challenge | None = None
        self._count = 0

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A good answer, or SourceError."""
        response = await self._exchange(method, url, headers or {})
        if response.status not in _OK:
            raise self.refusal(method, response)
        return response

    async def try_ask(self, method: str, url: str) -> Response | None:
        """A good answer, or None where the server does not know the method."""
        response = await self._exchange(method, url, {})
        return response if response.status in _OK else None

    def keep_alive(self, url: str) -> None:
        """Send without waiting for the answer: some cameras never give one. A forgotten
        session ends the connection, a new nonce is answered once, and a camera that does
        not know GET_PARAMETER gets OPTIONS from then on."""
        self._send_keep_alive(url, again=True)

    def refusal(self, method: str, response: Response) -> SourceRefused:
        where = self._address.shown
        status = response.status
        if status in _REDIRECT:
            target = shown(response.headers.get("Location"))
            return SourceRefused(
                f"{where} redirects to {target or 'another address'}; redirects are not followed: "
                f"set that address in the camera if you trust it"
            )
        said = _REFUSALS.get(status, f"answered {method} with {status} {response.reason[:60]}")
        refused = SourceRefused(f"{where} {said}")
        if status in _OF_CAMERA or status >= _SERVER_ERROR:
            refused.fault = "camera"
        return refused

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        fields = self._fields(method, url, headers)
        answered = "Authorization" in fields
        for _ in range(3):
            response = await self._connection.request(method, url, fields, self._timeout)
            if response.status != _UNAUTHORIZED:
                return response
            challenge = self._choose(response)
            if answered and not challenge.stale and not self._renewed(challenge):
                break
            self._challenge, self._count = challenge, 0
            fields = self._fields(method, url, headers)
            answered = True
        raise SourceAuthError(
            f"{self._address.shown} refuses the user name or password; set both again"
        )

    def _renewed(self, challenge: Challenge) -> bool:
        """True where our nonce only became old: it had been accepted before."""
        old = self._challenge
        return old is not None and self._count > 1 and challenge.nonce != old.nonce

    def _choose(self, response: Response) -> Challenge:
        try:
            challenges = parse_challenges(response.headers.get_all("WWW-Authenticate"))
        except ParseError as error:
            raise SourceProtocolError(
                f"{self._address.shown} asks for a password in an unreadable way: {error}"
            ) from None
        challenge = strongest(challenges)
        if challenge is None:
            raise SourceProtocolError(
                f"{self._address.shown} asks for a password by a method other than Basic and "
                f"Digest; enable Digest authentication in the camera"
            )
        if not self._address.username:
            raise SourceAuthError(
                f"{self._address.shown} asks for a user name and password; set both"
            )
        return challenge

    def _fields(self, method: str, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        fields = dict(headers)
        if self.session:
            fields["Session"] = self.session
        if self._challenge is not None:
            self._count += 1
            fields["Authorization"] = authorization(
                self._challenge,
                self._address.username,
                self._address.password.reveal(),
                method,
                url,
                self._count,
            )
        return fields

    def _send_keep_alive(self, url: str, *, again: bool) -> None:
        method = self.keep_alive_method
        future = self._connection.send(method, url, self._fields(method, url, {}))
        future.add_done_callback(lambda done: self._kept(done, url, again=again))

    def _kept(self, done: asyncio.Future[Response], url: str, *, again: bool) -> None:
        if done.cancelled():
            return
        response = done.result()
        if response.status in _OK or not again:
            return
        if response.status == _NO_SESSION:
            self._connection.fail(self.refusal(self.keep_alive_method, response))
            return
        if response.status == _UNAUTHORIZED:
            try:
                self._challenge, self._count = self._choose(response), 0
            except (SourceAuthError, SourceProtocolError) as error:
                self._connection.fail(error)
                return
        elif self.keep_alive_method == "OPTIONS":
            return
        else:
            self.keep_alive_method = "OPTIONS"
        self._send_keep_alive(url, again=False)
