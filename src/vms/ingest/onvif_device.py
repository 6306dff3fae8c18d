"""Reads what an ONVIF device is and offers: Profile S by Media1, Profile T by Media2."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import structlog

from vms.common.errors import SourceAuthError, SourceError, SourceRefused, SourceUnreachable
from vms.common.secret import Secret, split_credentials
from vms.ingest.onvif_soap import DeviceAddress, SoapClient, find_all, text_of
from vms.ingest.settings import IngestSettings

log = structlog.get_logger(__name__)

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"

_MOST_PROFILES = 64
_CODECS = {"H264": "h264", "H265": "h265", "HEVC": "h265", "JPEG": "jpeg", "MPEG4": "mpeg4"}


@dataclass(frozen=True, slots=True)
class _Media:
    """A media service and how its operations are spelt."""

    url: str
    namespace: str

    @property
    def second(self) -> bool:
        return self.namespace == MEDIA2


async def read_device(
    address: str, username: str, password: Secret, settings: IngestSettings
) -> dict[str, Any]:
    """JSON values: manufacturer, model, firmware, serial, and profiles, each with token, name,
    codec, width, height, frame_rate, stream_uri and snapshot_uri, without credentials.

    `address` is a host, host:port, or the address of the device service. Raises VmsError.
    """
    place = DeviceAddress.parse(address)
    try:
        async with (
            asyncio.timeout(settings.onvif_timeout),
            SoapClient(place, username, password, settings) as client,
        ):
            return await _read(client, place)
    except TimeoutError:
        raise SourceUnreachable(
            f"{place.netloc} did not answer within {settings.onvif_timeout:g} s; "
            f"check address and port, and that ONVIF is on in the camera"
        ) from None


async def _read(client: SoapClient, place: DeviceAddress) -> dict[str, Any]:
    await set_clock(client, place)
    device = await client.call(place.url, DEVICE, "<q:GetDeviceInformation/>")
    media = await _media_service(client, place)
    return {
        "manufacturer": text_of(device, "Manufacturer")[:200],
        "model": text_of(device, "Model")[:200],
        "firmware": text_of(device, "FirmwareVersion")[:200],
        "serial": text_of(device, "SerialNumber")[:200],
        "profiles": await _profiles(client, media),
    }


async def set_clock(client: SoapClient, place: DeviceAddress) -> None:
    """Learn the device's clock; signatures too far from it are refused. Needs no password."""
    try:
        answer = await client.call(place.url, DEVICE, "<q:GetSystemDateAndTime/>", signed=False)
    except (SourceAuthError, SourceRefused):
        return
    fields = [
        text_of(answer, "UTCDateTime", part, name)
        for part, name in (
            ("Date", "Year"),
            ("Date", "Month"),
            ("Date", "Day"),
            ("Time", "Hour"),
            ("Time", "Minute"),
            ("Time", "Second"),
        )
    ]
    try:
        year, month, day, hour, minute, second = (int(field) for field in fields)
        theirs = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return
    client.clock_offset = theirs - datetime.now(UTC)


async def _media_service(client: SoapClient, place: DeviceAddress) -> _Media:
    """Media2 where the device has it, for only that can say H.265; else Media1."""
    try:
        services = await client.call(
            place.url,
            DEVICE,
            "<q:GetServices><q:IncludeCapability>false</q:IncludeCapability></q:GetServices>",
        )
        known = {
            text_of(service, "Namespace"): text_of(service, "XAddr")
            for service in find_all(services, "Service")[:64]
        }
    except SourceRefused:
        known = {}
    for namespace in (MEDIA2, MEDIA):
        if known.get(namespace):
            return _Media(client.at_device(known[namespace]), namespace)
    answer = await client.call(
        place.url, DEVICE, "<q:GetCapabilities><q:Category>Media</q:Category></q:GetCapabilities>"
    )
    url = text_of(answer, "Media", "XAddr")
    if not url:
        raise SourceRefused(f"{place.netloc} has no media service; is it a camera?")
    return _Media(client.at_device(url), MEDIA)


async def _profiles(client: SoapClient, media: _Media) -> list[dict[str, Any]]:
    ask = "<q:GetProfiles><q:Type>VideoEncoder</q:Type></q:GetProfiles>"
    answer = await client.call(
        media.url, media.namespace, ask if media.second else "<q:GetProfiles/>"
    )
    found: list[dict[str, Any]] = []
    for profile in find_all(answer, "Profiles")[:_MOST_PROFILES]:
        token = profile.get("token", "")[:200]
        entry = _describe(profile, token)
        entry["stream_uri"] = await _uri(client, media, _stream_request(media, token))
        entry["snapshot_uri"] = await _uri(
            client, media, f"<q:GetSnapshotUri>{_token(token)}</q:GetSnapshotUri>"
        )
        found.append(entry)
    return found


def _describe(profile: Element, token: str) -> dict[str, Any]:
    names = ("VideoEncoderConfiguration", "VideoEncoder")
    encoder = next((found[0] for name in names if (found := find_all(profile, name))), profile)
    encoding = text_of(encoder, "Encoding").upper()
    return {
        "token": token,
        "name": text_of(profile, "Name")[:200],
        "codec": _CODECS.get(encoding, encoding.lower()[:20]),
        "width": _number(text_of(encoder, "Resolution", "Width")),
        "height": _number(text_of(encoder, "Resolution", "Height")),
        "frame_rate": _rate(text_of(encoder, "RateControl", "FrameRateLimit")),
    }


async def _uri(client: SoapClient, media: _Media, request: str) -> str:
    """An address for one profile, empty where the device has none for it."""
    try:
        answer = await client.call(media.url, media.namespace, request)
    except SourceAuthError:
        raise
    except SourceError as error:
        log.debug("profile without address", error=str(error))
        return ""
    return split_credentials(text_of(answer, "Uri"))[0]


def _stream_request(media: _Media, token: str) -> str:
    if media.second:
        return f"<q:GetStreamUri><q:Protocol>RTSP</q:Protocol>{_token(token)}</q:GetStreamUri>"
    return (
        "<q:GetStreamUri><q:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>"
        f"<tt:Protocol>RTSP</tt:Protocol></tt:Transport></q:StreamSetup>{_token(token)}"
        "</q:GetStreamUri>"
    )


def _token(token: str) -> str:
    return f"<q:ProfileToken>{escape(token)}</q:ProfileToken>"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _rate(text: str) -> float:
    try:
        rate = float(text[:16] or 0)
    except ValueError:
        return 0.0
    return rate if 0 < rate <= 1000 else 0.0
