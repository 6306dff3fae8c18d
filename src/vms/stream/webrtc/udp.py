"""The one UDP port of all viewers: datagrams in, and many packets out with one system call.

The socket may be bound to every address of the machine; a datagram is answered from the
address that it came to (IP_PKTINFO), as ICE wants.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from vms.common.errors import ConfigError
from vms.common.interfaces import ipv4_addresses
from vms.stream import metrics
from vms.stream.settings import WebRtcSettings

log = structlog.get_logger(__name__)

Address = tuple[str, int]
_USUAL_PORT = 8189
_IP_PKTINFO = 8
_PKTINFO = struct.Struct("I4s4s")
_UDP_SEGMENT = 103
_PKTINFO_SPACE = socket.CMSG_SPACE(_PKTINFO.size)
_MAX_DATAGRAM = 2048
_BATCH = 128
_NO_OFFLOAD = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP})
_Ancillary = list[tuple[int, int, bytes]]


@dataclass(slots=True)
class Path:
    """A way to a viewer: its address, and ours that it knows (packed; b"" any)."""

    remote: Address
    local: bytes
    ancillary: _Ancillary
    offload: bool = True


Receive = Callable[[bytes, Address, bytes], None]
"""Takes a datagram, where it came from and our address that it came to (packed)."""


class UdpPort:
    """One bound socket on the event loop."""

    def __init__(self, settings: WebRtcSettings, receive: Receive) -> None:
        self._receive = receive
        self._wildcard = not settings.host
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer_bytes
            )
            self._bind(settings)
            if self._wildcard:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        except OSError as error:
            self._socket.close()
            raise ConfigError(_cannot_bind(settings, error)) from None
        self._socket.setblocking(False)
        self.host = settings.host
        self.port: int = self._socket.getsockname()[1]
        self._offload = self._has_offload()

    def _bind(self, settings: WebRtcSettings) -> None:
        if not settings.port:
            try:
                self._socket.bind((settings.host, _USUAL_PORT))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        self._socket.bind((settings.host, settings.port))

    def _has_offload(self) -> bool:
        try:
            self._socket.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT)
        except OSError:
            return False
        return True

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def addresses(self, loopback: bool) -> list[str]:
        """Our addresses that viewers may be told; those of loopback only if wanted or alone."""
        if not self._wildcard:
            return [self.host]
        found = ipv4_addresses()
        outer = [host for host in found if not ipaddress.ip_address(host).is_loopback]
        inner = [host for host in found if ipaddress.ip_address(host).is_loopback]
        return inner + outer if loopback else outer or inner

    def path(self, remote: Address, local: bytes) -> Path:
        ancillary: _Ancillary = []
        if local:
            info = _PKTINFO.pack(0, local, bytes(4))
            ancillary.append((socket.IPPROTO_IP, _IP_PKTINFO, info))
        return Path(remote, local, ancillary, self._offload)

    def _on_readable(self) -> None:
        for _ in range(_BATCH):
            try:
                data, ancillary, _, remote = self._socket.recvmsg(_MAX_DATAGRAM, _PKTINFO_SPACE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # An ICMP answer to something sent before; the socket goes on.
                log.debug("udp receive failed", error=error.strerror)
                continue
            local = b""
            for level, kind, value in ancillary:
                if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                    local = _PKTINFO.unpack(value[: _PKTINFO.size])[1]
            if data:
                self._receive(data, remote, local)

    def send(self, data: bytes, path: Path) -> bool:
        """Send one datagram; False where the kernel did not take it."""
        try:
            self._socket.sendmsg((data,), path.ancillary, 0, path.remote)
        except OSError:
            return False
        return True

    def send_packets(self, buffers: Sequence[bytes], segment: int, count: int, path: Path) -> int:
        """Send `count` packets that lie in a row in `buffers`; the number taken.

        All are of `segment` bytes but for the last, which may be smaller.
        """
        if count > 1 and path.offload:
            offload = (socket.IPPROTO_UDP, _UDP_SEGMENT, segment.to_bytes(2, "little"))
            try:
                self._socket.sendmsg(buffers, [*path.ancillary, offload], 0, path.remote)
            except OSError as error:
                if error.errno not in _NO_OFFLOAD:
                    return 0
                path.offload = False
            else:
                return count
        each = len(buffers) // count
        taken = 0
        for i in range(0, len(buffers), each):
            try:
                self._socket.sendmsg(buffers[i : i + each], path.ancillary, 0, path.remote)
            except OSError:
                break
            taken += 1
        if taken < count:
            metrics.unsent.inc(count - taken)
        return taken


def _cannot_bind(settings: WebRtcSettings, error: OSError) -> str:
    where = f"UDP port {settings.port} on {settings.host or 'all addresses'}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; set stream.webrtc.port to another, or 0"
    return f"{where} cannot be used for live video: {error.strerror}; set stream.webrtc.port"
