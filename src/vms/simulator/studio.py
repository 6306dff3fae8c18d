"""Studios: a thread each that draws and encodes one scene for all cameras that show it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from vms.common.model.media import CodecParameters
from vms.simulator.encode import Encoded, Encoder, new_picture
from vms.simulator.packets import Unit, video_unit
from vms.simulator.render import Renderer
from vms.simulator.sources import Scene, parameters_of

log = structlog.get_logger(__name__)

_SECOND = 1_000_000_000


class Shot(NamedTuple):
    """An encoded picture of a live scene; `capture_ns` (monotonic) is when it was drawn."""

    unit: Unit
    number: int
    capture_ns: int


Take = Callable[[Shot], None]


class Studio:
    """Draws and encodes while somebody has subscribed; sleeps otherwise.

    Made and used on the event loop's thread, except for `_work`, which is the studio's own.
    """

    def __init__(self, scene: Scene, parameters: CodecParameters) -> None:
        self.scene = scene
        self.parameters = parameters
        self._loop = asyncio.get_running_loop()
        self._takers: tuple[Take, ...] = ()
        self._change = threading.Condition()
        self._wanted = False
        self._key_wanted = False
        self._closed = False
        self._thread = threading.Thread(
            target=self._work, name=f"scene-{scene.view}-{scene.width}", daemon=True
        )
        self._thread.start()

    @staticmethod
    def parameters_of(scene: Scene) -> CodecParameters:
        """What the encoder will send, known by encoding one picture. Slow."""
        return parameters_of(scene.codec, _parameter_sets(scene), scene.fps)

    def subscribe(self, take: Take) -> None:
        """`take` is called on the event loop with every shot from now on."""
        self._takers = (*self._takers, take)
        with self._change:
            self._wanted = True
            self._change.notify()

    def unsubscribe(self, take: Take) -> None:
        self._takers = tuple(other for other in self._takers if other != take)
        if not self._takers:
            with self._change:
                self._wanted = False

    def ask_for_key(self) -> None:
        """The next picture will be a key picture."""
        self._key_wanted = True

    def close(self, limit: float = 2.0) -> None:
        """Stop the thread; it ends within a picture's time."""
        self._takers = ()
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(limit)

    def _work(self) -> None:
        try:
            self._draw_and_encode()
        except Exception:
            log.exception("scene stopped", view=self.scene.view)

    def _draw_and_encode(self) -> None:
        scene = self.scene
        renderer = Renderer(
            scene.view, scene.width, scene.height, scene.title, stamp_light=scene.stamp_light
        )
        encoder = Encoder(scene)
        captured: dict[int, int] = {}
        step = _SECOND / scene.fps
        start, drawn, sent = time.monotonic_ns(), 0, 0
        while self._ready():
            due = start + round(drawn * step)
            now = time.monotonic_ns()
            if now < due:
                time.sleep((due - now) / _SECOND)
            elif now - due > step * 2:
                start += now - due
            capture = time.monotonic_ns()
            picture = renderer.draw(drawn, time.time_ns())
            captured[drawn] = capture
            key, self._key_wanted = self._key_wanted, False
            drawn += 1
            for encoded in encoder.encode(picture, key=key):
                taken = captured.pop(encoded.pts, capture)
                self._publish(Shot(self._unit(encoded), sent, taken))
                sent += 1

    def _ready(self) -> bool:
        """Wait until somebody wants pictures; False at the end."""
        with self._change:
            while not (self._wanted or self._closed):
                self._change.wait()
                self._key_wanted = True
            return not self._closed

    def _unit(self, encoded: Encoded) -> Unit:
        codec = self.scene.codec
        return video_unit(codec, encoded.parameter_sets, encoded.nals, key=encoded.key)

    def _publish(self, shot: Shot) -> None:
        try:
            self._loop.call_soon_threadsafe(self._pass_on, shot)
        except RuntimeError:
            self._closed = True

    def _pass_on(self, shot: Shot) -> None:
        for take in self._takers:
            take(shot)


def _parameter_sets(scene: Scene) -> tuple[bytes, ...]:
    encoder = Encoder(scene)
    units = [*encoder.encode(new_picture(scene.width, scene.height)), *encoder.flush()]
    return units[0].parameter_sets
