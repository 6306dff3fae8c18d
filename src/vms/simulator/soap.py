"""SOAP 1.2 as ONVIF uses it: reading a request, signing in, answering, faults.

Sources: ONVIF Core Specification 5.9 (faults) and 5.12 (access), WS-Security UsernameToken
Profile 1.0. Everything from outside goes through defusedxml.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape as escape_text

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import ParseError as XmlError  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring

from vms.common.errors import ParseError

MAX_REQUEST = 256 * 1024
CLOCK_SKEW_S = 300
"""How far a signed time may be from the device's clock, as in many cameras."""

SOAP = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACES = {
    "s": SOAP,
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "tns1": "http://www.onvif.org/ver10/topics",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


class Fault(Exception):
    """A request that is answered with a SOAP fault; `subcode` as `ter:NotAuthorized`."""

    def __init__(self, subcode: str, reason: str, *, sender: bool = True) -> None:
        super().__init__(reason)
        self.subcode, self.reason, self.sender = subcode, reason, sender


@dataclass(frozen=True, slots=True)
class Token:
    """What a UsernameToken says; `digest` and `nonce` in base64."""

    username: str
    digest: str
    nonce: str
    created: str


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """The operation asked for (namespace and name), its element, and who asks."""

    namespace: str
    operation: str
    body: Element
    token: Token | None

    def text(self, name: str) -> str:
        """The text of the first element of that name, in any namespace."""
        return next((e.text or "" for e in named(self.body, name)), "").strip()


def named(root: Element, name: str) -> Iterator[Element]:
    """Elements below `root` with the local name `name`."""
    return (e for e in root.iter() if isinstance(e.tag, str) and local(e.tag) == name)


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


def parse_envelope(data: bytes) -> Element:
    """The root of an XML text. Raises ParseError."""
    if len(data) > MAX_REQUEST:
        raise ParseError(f"SOAP message of {len(data)} bytes; at most {MAX_REQUEST}")
    try:
        root = fromstring(data)
    except (XmlError, DefusedXmlException, ValueError, LookupError) as error:
        raise ParseError(f"not a SOAP message: {error}") from error
    if not isinstance(root, Element) or local(root.tag) != "Envelope":
        raise ParseError("not a SOAP envelope")
    return root


def parse_request(data: bytes) -> SoapRequest:
    """Raises ParseError where `data` is no SOAP request."""
    root = parse_envelope(data)
    body = next((e for e in root if local(e.tag) == "Body"), None)
    if body is None or not len(body):
        raise ParseError("SOAP message without a body")
    operation = body[0]
    namespace = operation.tag.rpartition("}")[0].removeprefix("{")
    return SoapRequest(namespace, local(operation.tag), operation, _token(root))


def _token(root: Element) -> Token | None:
    found = next(named(root, "UsernameToken"), None)
    if found is None:
        return None
    parts = {local(e.tag): (e.text or "").strip() for e in found}
    return Token(
        parts.get("Username", ""),
        parts.get("Password", ""),
        parts.get("Nonce", ""),
        parts.get("Created", ""),
    )


def signed_by(token: Token, username: str, password: str, now: datetime) -> bool:
    """Whether the digest is of that password, and its time near `now` (with zone)."""
    try:
        nonce = base64.b64decode(token.nonce, validate=True)
        created = datetime.fromisoformat(token.created.replace("Z", "+00:00"))
    except (binascii.Error, ValueError):
        return False
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    if abs((now - created).total_seconds()) > CLOCK_SKEW_S:
        return False
    raw = nonce + token.created.encode() + password.encode()
    wanted = base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode()
    same_user = hmac.compare_digest(token.username.encode(), username.encode())
    return hmac.compare_digest(token.digest.encode(), wanted.encode()) and same_user


def envelope(body: str) -> bytes:
    """A SOAP answer around `body`, which may use the prefixes of NAMESPACES."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<s:Envelope {_DECLARED}><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(problem: Fault) -> bytes:
    code = "s:Sender" if problem.sender else "s:Receiver"
    return envelope(
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode>"
        f"<s:Value>{problem.subcode}</s:Value></s:Subcode></s:Code><s:Reason>"
        f'<s:Text xml:lang="en">{text(problem.reason)}</s:Text></s:Reason></s:Fault>'
    )


def text(value: object) -> str:
    """`value` as it may stand in XML, between tags or in an attribute."""
    return escape_text(str(value), {'"': "&quot;"})
