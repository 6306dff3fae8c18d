"""The broker of the local bus: passes frames between the processes of one machine.

It looks at subjects and never at messages. A subscriber that does not keep up loses whole
messages of media, counted, and later those of other subjects; durable messages wait for
it in a bounded log that lives as long as the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import socket
from pathlib import Path

import structlog

from vms.bus import metrics
from vms.bus.durable import DurableLog
from vms.bus.frames import IDENTITY_SIZE, MILLISECONDS, FrameType, frame
from vms.bus.local_peer import Asked, Peer
from vms.bus.patterns import check_pattern, check_subject, matches
from vms.common.errors import BusError, InvalidIdentifier, ParseError

log = structlog.get_logger(__name__)

_MAX_ROUTES = 20_000
_MAX_REQUESTS = 10_000
_MEDIA = b"vms.media."
_PATH_LIMIT = 107


class BrokerExists(BusError):
    """Another broker has the path."""


class LocalBroker:
    """`async with LocalBroker(path):` or `start` and `close`. The socket is 0600."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._server: asyncio.Server | None = None
        self._lock = -1
        self._peers: set[Peer] = set()
        self._routes: dict[bytes, tuple[Peer, ...]] = {}
        self._servers: dict[str, list[Peer]] = {}
        self._turn = itertools.count()
        self._requests: dict[int, Asked] = {}
        self._request_ids = itertools.count(1)
        self._log: DurableLog[bytes] = DurableLog("local")
        self._due: asyncio.TimerHandle | None = None
        self._slow = metrics.dropped.labels("local", "slow")

    async def __aenter__(self) -> LocalBroker:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. Raises BusError where another broker has the path, or it cannot be."""
        if len(os.fsencode(self.path)) > _PATH_LIMIT:
            raise BusError(f"bus socket {self.path} has a path longer than {_PATH_LIMIT} bytes")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            # On Linux the file gets the mode of the socket, so it is never open to others.
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            listener.setblocking(False)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(lambda: Peer(self), sock=listener)
        except OSError as error:
            listener.close()
            self._drop_lock()
            raise BusError(f"bus socket {self.path} cannot be opened: {error.strerror}") from error
        except BaseException:
            listener.close()
            self._drop_lock()
            raise
        log.info("local bus listens", path=str(self.path))

    async def close(self) -> None:
        """Leave the path and all clients; what durable readers had yet to take is lost."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._due is not None:
            self._due.cancel()
        for peer in list(self._peers):
            peer.abort()
        for asked in self._requests.values():
            asked.timer.cancel()
        self._requests.clear()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._drop_lock()
        await asyncio.sleep(0)

    def _take_lock(self) -> None:
        lock = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise BrokerExists(
                f"bus socket {self.path} belongs to another broker that is running: "
                "stop it or choose another path"
            ) from None
        self._lock = lock

    def _drop_lock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # What peers call

    def joined(self, peer: Peer) -> None:
        self._peers.add(peer)

    def left(self, peer: Peer) -> None:
        """Forget `peer`; what it was working on goes to others."""
        self._peers.discard(peer)
        self._routes.clear()
        for subject in list(peer.subjects):
            self._unserve(peer, subject)
        for reader in peer.readers.values():
            if reader.number is not None:
                reader.group.give_back(reader.number)
        peer.readers.clear()
        for number, asked in list(self._requests.items()):
            if asked.server is peer:
                self._forget(number)
                asked.client.send(
                    frame(FrameType.REFUSED, asked.identity, "", b"it stopped before it answered")
                )
            elif asked.client is peer:
                self._forget(number)
        if self._server is not None:
            self._pump()

    def handle(
        self, peer: Peer, view: memoryview, kind: int, identity: int, subject: bytes, body: int
    ) -> None:
        """One frame of `peer`. Raises ParseError where it makes no sense."""
        try:
            if kind == FrameType.PUBLISH:
                self._publish(peer, view, subject)
            else:
                self._handle_other(peer, view[body:], kind, identity, subject.decode("ascii"))
        except (InvalidIdentifier, UnicodeDecodeError) as error:
            raise ParseError(str(error)) from error

    # Publish and subscribe

    def _publish(self, sender: Peer, view: memoryview, subject: bytes) -> None:
        peers = self._routes.get(subject)
        if peers is None:
            peers = self._route(subject)
        if not peers or (len(peers) == 1 and peers[0] is sender):
            return
        data = bytes(view)
        media = subject.startswith(_MEDIA)
        for peer in peers:
            if peer is not sender and not peer.send_lossy(data, media):
                self._slow.inc()

    def _route(self, subject: bytes) -> tuple[Peer, ...]:
        name = check_subject(subject.decode("ascii"))
        peers = tuple(peer for peer in self._peers if any(matches(p, name) for p in peer.patterns))
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        self._routes[subject] = peers
        return peers

    def _handle_other(
        self, peer: Peer, body: memoryview, kind: int, identity: int, subject: str
    ) -> None:
        match kind:
            case FrameType.SUBSCRIBE:
                peer.patterns.add(check_pattern(subject))
                self._routes.clear()
            case FrameType.UNSUBSCRIBE:
                peer.patterns.discard(subject)
                self._routes.clear()
            case FrameType.SERVE:
                if check_subject(subject) not in peer.subjects:
                    peer.subjects.add(subject)
                    self._servers.setdefault(subject, []).append(peer)
            case FrameType.UNSERVE:
                self._unserve(peer, subject)
            case FrameType.REQUEST:
                self._request(peer, body, identity, subject)
                return
            case FrameType.REPLY | FrameType.REFUSED:
                self._reply(peer, body, kind, identity)
                return
            case FrameType.KEEP:
                identity_of_message = bytes(body[:IDENTITY_SIZE])
                data = bytes(body[IDENTITY_SIZE:])
                self._log.append(check_subject(subject), data, len(data), identity_of_message)
                self._pump()
            case FrameType.JOIN:
                group = self._log.group(str(bytes(body), "utf-8", "replace"), subject)
                peer.join(identity, group)
                peer.send(frame(FrameType.DONE, identity))
                self._pump()
                return
            case FrameType.LEAVE:
                peer.leave(identity)
                self._pump()
            case FrameType.TAKEN | FrameType.FAILED:
                peer.finished(identity, body, kind == FrameType.TAKEN)
                self._pump()
                return
            case _:
                raise ParseError(f"local bus frame of type {kind}")
        peer.send(frame(FrameType.DONE, identity))

    # Requests

    def _unserve(self, peer: Peer, subject: str) -> None:
        peer.subjects.discard(subject)
        servers = self._servers.get(subject, [])
        if peer in servers:
            servers.remove(peer)
        if not servers:
            self._servers.pop(subject, None)

    def _request(self, client: Peer, body: memoryview, identity: int, subject: str) -> None:
        servers = self._servers.get(check_subject(subject))
        if not servers:
            client.send(frame(FrameType.NOBODY, identity))
            return
        server = servers[next(self._turn) % len(servers)]
        if len(self._requests) >= _MAX_REQUESTS or server.is_slow:
            client.send(frame(FrameType.REFUSED, identity, "", b"it is busy; try again"))
            return
        if len(body) < MILLISECONDS.size:
            raise ParseError("local bus request is cut short")
        number = next(self._request_ids) & 0xFFFFFFFF
        seconds = MILLISECONDS.unpack_from(body)[0] / 1000
        timer = asyncio.get_running_loop().call_later(seconds, self._forget, number)
        self._requests[number] = Asked(client, identity, server, timer)
        server.send(frame(FrameType.REQUEST, number, subject, bytes(body)))

    def _reply(self, server: Peer, body: memoryview, kind: int, number: int) -> None:
        asked = self._requests.get(number)
        if asked is not None and asked.server is server:
            self._forget(number)
            asked.client.send(frame(FrameType(kind), asked.identity, "", bytes(body)))

    def _forget(self, number: int) -> None:
        asked = self._requests.pop(number, None)
        if asked is not None:
            asked.timer.cancel()

    # Durable messages

    def _pump(self) -> None:
        """Give every idle reader its next message, and come back when one is due."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for peer in self._peers:
            peer.pump(now)
        dues = [due for group in self._log.groups if (due := group.next_due()) is not None]
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if dues:
            self._due = loop.call_at(max(min(dues), now + 0.01), self._pump)
