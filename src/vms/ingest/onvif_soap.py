"""SOAP to ONVIF devices (ONVIF Core 5, WS-Security UsernameToken 1.1): small and suspicious.

Written by hand rather than on a WSDL library: onboarding needs a dozen operations, of which
those of Media2 (Profile T, and with it H.265) are in no maintained one, and answers come from
devices that nobody vouches for: bounded in size and time, no document types, no redirects.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError
from xml.sax.saxutils import escape

import httpx
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from vms.common.errors import (
    ConfigError,
    SourceAuthError,
    SourceError,
    SourceProtocolError,
    SourceRefused,
    SourceUnreachable,
)
from vms.common.secret import Secret, split_credentials
from vms.ingest.settings import IngestSettings
from vms.ingest.tls import check_pin, client_context

MAX_ANSWER = 1 << 20
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TOKEN_PROFILE = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"  # noqa: S105
)
_MESSAGE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
_HEADERS = {
    "Content-Type": "application/soap+xml; charset=utf-8",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where a device's service is; `url` holds no credentials."""

    url: str
    host: str
    netloc: str

    @classmethod
    def parse(cls, text: str) -> DeviceAddress:
        """From a host, host:port, or the address of the service. Raises ConfigError."""
        text = text.strip()
        url = text if "://" in text else f"http://{text}"
        try:
            url = split_credentials(url)[0]
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host = ""
        if not host or parts.scheme not in ("http", "https") or any(c.isspace() for c in text):
            raise ConfigError("the address of a device is written as 192.168.1.20, or host:port")
        path = parts.path if parts.path not in ("", "/") else "/onvif/device_service"
        return cls(f"{parts.scheme}://{parts.netloc}{path}", host, parts.netloc)


class SoapClient:
    """Calls to one device, as an async context manager. All calls raise SourceError."""

    def __init__(
        self, address: DeviceAddress, username: str, password: Secret, settings: IngestSettings
    ) -> None:
        self._address = address
        self._username = username
        self._password = password
        self._settings = settings
        self.clock_offset = timedelta()
        """The device's clock minus ours; signatures are dated by its clock."""
        self._http = httpx.AsyncClient(
            verify=client_context(settings),
            timeout=settings.onvif_timeout,
            follow_redirects=False,
            trust_env=False,
            auth=httpx.DigestAuth(username, password.reveal()) if username else None,
            limits=httpx.Limits(max_connections=4),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(
        self, url: str, namespace: str, body: str, *, signed: bool = True, header: str = ""
    ) -> Element:
        """The first element in the body of the answer to `body`, whose prefix is `q`."""
        security = self._security() if signed and self._username else ""
        envelope = (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}" '
            f'xmlns:q="{namespace}" xmlns:tt="http://www.onvif.org/ver10/schema">'
            f"{f'<s:Header>{header}{security}</s:Header>' if header or security else ''}"
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        status, content = await self._post(url, envelope.encode())
        if status == 401:
            raise self._refused()
        root = parse_answer(content, self._address.netloc)
        bodies = [element for element in root if _local(element) == "Body"]
        answer = next(iter(bodies[0]), None) if bodies else None
        if answer is None:
            raise SourceProtocolError(
                f"{self._address.netloc} answered with status {status} and no content; "
                f"check that ONVIF is on in the camera"
            )
        if _local(answer) == "Fault":
            raise self._fault(answer)
        return answer

    def at_device(self, url: str) -> str:
        """A service address that the device gave, at the place where we reach the device: it
        may not know its own address, and may not send us elsewhere."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return self._address.url
        if parts.scheme not in ("http", "https"):
            return self._address.url
        if host == self._address.host:
            return url
        return (
            urlsplit(self._address.url)._replace(path=parts.path or "/", query=parts.query).geturl()
        )

    async def _post(self, url: str, envelope: bytes) -> tuple[int, bytes]:
        where = self._address.netloc
        content = bytearray()
        try:
            async with self._http.stream("POST", url, content=envelope, headers=_HEADERS) as answer:
                self._check_certificate(answer)
                if answer.is_redirect:
                    raise SourceRefused(
                        f"{where} redirects elsewhere; redirects are not followed, "
                        f"use the new address if you trust it"
                    )
                async for chunk in answer.aiter_raw():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise SourceProtocolError(
                            f"{where} answered with more than 1 MiB; is it an ONVIF device?"
                        )
        except httpx.TimeoutException:
            raise SourceUnreachable(
                f"{where} did not answer in time; check address and port"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise SourceUnreachable(
                f"{where} cannot be asked by HTTP ({type(error).__name__}); check address and "
                f"port, and that ONVIF is on in the camera"
            ) from None
        return answer.status_code, bytes(content)

    def _check_certificate(self, answer: httpx.Response) -> None:
        stream = answer.extensions.get("network_stream")
        tls = stream.get_extra_info("ssl_object") if stream is not None else None
        if tls is not None:
            check_pin(self._settings, self._address.host, tls.getpeercert(True) or b"")

    def _security(self) -> str:
        nonce = secrets.token_bytes(16)
        created = (datetime.now(UTC) + self.clock_offset).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        digest = hashlib.sha1(
            nonce + created.encode() + self._password.reveal().encode(), usedforsecurity=False
        ).digest()
        return (
            f'<w:Security xmlns:w="{_WSSE}" xmlns:u="{_WSU}" s:mustUnderstand="1">'
            f"<w:UsernameToken><w:Username>{escape(self._username)}</w:Username>"
            f'<w:Password Type="{_TOKEN_PROFILE}#PasswordDigest">'
            f"{base64.b64encode(digest).decode()}</w:Password>"
            f'<w:Nonce EncodingType="{_MESSAGE}#Base64Binary">'
            f"{base64.b64encode(nonce).decode()}</w:Nonce>"
            f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
        )

    def _fault(self, fault: Element) -> SourceError:
        said = " ".join((element.text or "").strip() for element in fault.iter() if element.text)
        lower = said.lower()
        if "notauthorized" in lower or "failedauthentication" in lower or "not auth" in lower:
            return self._refused()
        return SourceRefused(f"{self._address.netloc} refuses: {' '.join(said.split())[:160]}")

    def _refused(self) -> SourceAuthError:
        if not self._username:
            return SourceAuthError(f"{self._address.netloc} asks for a user name and password")
        return SourceAuthError(
            f"{self._address.netloc} refuses the user name or password; ONVIF users are often "
            f"separate ones in the camera's settings"
        )


def parse_answer(content: bytes, where: str) -> Element:
    """The envelope of an answer. Raises SourceProtocolError for what is none."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise SourceProtocolError(
            f"{where} answered with a document type or entities in its XML, which is not accepted"
        ) from None
    except (XmlError, ValueError, LookupError):
        root = None
    if root is None or _local(root) != "Envelope":
        raise SourceProtocolError(
            f"{where} does not answer as an ONVIF device; check address and port, and that "
            f"ONVIF is on in the camera"
        )
    found: Element = root
    return found


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def find_all(root: Element, name: str) -> list[Element]:
    """Every element below `root` of that local name."""
    return [element for element in root.iter() if _local(element) == name]


def text_of(root: Element, *path: str) -> str:
    """The text of the first element reached by local names, empty where there is none."""
    for name in path:
        found = next((element for element in root.iter() if _local(element) == name), None)
        if found is None:
            return ""
        root = found
    return (root.text or "").strip()[:2048]
