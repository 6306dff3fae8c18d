"""The addresses of this machine."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCGIFCONF = 0x8912
_ENTRY = 40
"""Bytes of a `struct ifreq` on 64-bit Linux."""
_MOST = 512


def ipv4_addresses() -> list[str]:
    """Every IPv4 address of every interface that is up, in the kernel's order."""
    space = array.array("B", bytes(_MOST * _ENTRY))
    where, _ = space.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, _SIOCGIFCONF, struct.pack("iL", len(space), where))
    filled = struct.unpack("iL", answer)[0]
    found = space.tobytes()
    # The name of the interface takes 16 bytes, then a sockaddr_in: family, port, address.
    return [
        socket.inet_ntoa(found[at + 20 : at + 24])
        for at in range(0, filled, _ENTRY)
        if int.from_bytes(found[at + 16 : at + 18], "little") == socket.AF_INET
    ]
