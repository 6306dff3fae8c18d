"""A pull point at an ONVIF device: made, asked for messages, kept alive, given back.

Sources: ONVIF Core Specification, "Real-time Pull-Point Notification Interface";
WS-BaseNotification 1.3; WS-Addressing 1.0. Many devices do less than these say: some refuse
to be renewed, some to be given back, some want addressing headers; so every call has them,
and who uses a pull point makes another one where this one fails.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from xml.etree.ElementTree import Element, tostring
from xml.sax.saxutils import escape

from vms.common.errors import SourceError, SourceRefused
from vms.ingest.onvif_device import DEVICE, set_clock
from vms.ingest.onvif_soap import DeviceAddress, SoapClient, find_all, text_of

EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_NOTIFICATION = "http://docs.oasis-open.org/wsn/b-2"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_PORT = f"{EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"
_PULL = f"{EVENTS}/PullPointSubscription"
_MANAGER = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
_LIFE_S = 120.0
_MOST_PARAMETERS = 4096
PULL_S = 4.0
"""How long the device holds an answer back while nothing happens."""


class PullPoint:
    """One subscription. All methods raise SourceError."""

    def __init__(self, client: SoapClient, place: DeviceAddress, longest_s: float = PULL_S) -> None:
        """`longest_s`: how long an answer may be held back, whatever `PULL_S` says."""
        self._hold = max(1, int(min(PULL_S, longest_s)))
        self._client = client
        self._place = place
        self._url = ""
        self._parameters = ""
        self._renew_at = 0.0

    async def open(self) -> None:
        """Find the event service and subscribe to all that the device tells."""
        await set_clock(self._client, self._place)
        url = await self._service()
        answer = await self._client.call(
            url,
            EVENTS,
            "<q:CreatePullPointSubscription>"
            f"<q:InitialTerminationTime>PT{_LIFE_S:.0f}S</q:InitialTerminationTime>"
            "</q:CreatePullPointSubscription>",
            header=_address(_PORT, url),
        )
        reference = next(iter(find_all(answer, "SubscriptionReference")), answer)
        self._url = self._client.at_device(text_of(reference, "Address") or url)
        self._parameters = _parameters(reference)
        self._renew_at = time.monotonic() + _LIFE_S / 2
        with contextlib.suppress(SourceRefused):
            # Asks for the state of what lasts already; not every device knows how.
            await self._call(f"{_PULL}/SetSynchronizationPointRequest", EVENTS,
                             "<q:SetSynchronizationPoint/>")  # fmt: skip

    async def pull(self) -> Element:
        """What the device has to tell: at once, or when `PULL_S` have passed."""
        if time.monotonic() >= self._renew_at:
            await self._renew()
        return await self._call(
            f"{_PULL}/PullMessagesRequest",
            EVENTS,
            f"<q:PullMessages><q:Timeout>PT{self._hold}S</q:Timeout>"
            "<q:MessageLimit>100</q:MessageLimit></q:PullMessages>",
        )

    async def close(self) -> None:
        """Give it back; a device has room for only a few."""
        if self._url:
            with contextlib.suppress(SourceError):
                await self._call(
                    f"{_MANAGER}/UnsubscribeRequest", _NOTIFICATION, "<q:Unsubscribe/>"
                )

    async def _renew(self) -> None:
        await self._call(
            f"{_MANAGER}/RenewRequest",
            _NOTIFICATION,
            f"<q:Renew><q:TerminationTime>PT{_LIFE_S:.0f}S</q:TerminationTime></q:Renew>",
        )
        self._renew_at = time.monotonic() + _LIFE_S / 2

    async def _call(self, action: str, namespace: str, body: str) -> Element:
        header = _address(action, self._url) + self._parameters
        return await self._client.call(self._url, namespace, body, header=header)

    async def _service(self) -> str:
        """The address of the event service: of most devices said in both ways, of some in one."""
        with contextlib.suppress(SourceRefused):
            services = await self._client.call(
                self._place.url,
                DEVICE,
                "<q:GetServices><q:IncludeCapability>false</q:IncludeCapability></q:GetServices>",
            )
            for service in find_all(services, "Service")[:64]:
                if text_of(service, "Namespace") == EVENTS and text_of(service, "XAddr"):
                    return self._client.at_device(text_of(service, "XAddr"))
        answer = await self._client.call(
            self._place.url,
            DEVICE,
            "<q:GetCapabilities><q:Category>Events</q:Category></q:GetCapabilities>",
        )
        url = text_of(answer, "Events", "XAddr")
        if not url:
            raise SourceRefused(f"{self._place.netloc} tells of no events: it has no event service")
        return self._client.at_device(url)


def _address(action: str, url: str) -> str:
    return (
        f'<a:Action xmlns:a="{_ADDRESSING}">{action}</a:Action>'
        f'<a:MessageID xmlns:a="{_ADDRESSING}">urn:uuid:{uuid.uuid4()}</a:MessageID>'
        f'<a:To xmlns:a="{_ADDRESSING}">{escape(url)}</a:To>'
    )


def _parameters(reference: Element) -> str:
    """What the device wants to be told with every call (WS-Addressing 1.0 SOAP, 3.3)."""
    holders = find_all(reference, "ReferenceParameters")[:1]
    for parameter in (child for holder in holders for child in holder):
        parameter.set(f"{{{_ADDRESSING}}}IsReferenceParameter", "true")
    text = "".join(tostring(child, "unicode") for holder in holders for child in holder)
    if len(text) > _MOST_PARAMETERS:
        raise SourceRefused("the device wants too much said with every call for events")
    return text
