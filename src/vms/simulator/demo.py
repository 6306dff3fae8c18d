"""Four cameras to look at where none is configured."""

from __future__ import annotations

from vms.common.model.media import Codec
from vms.common.stamp import DIM
from vms.simulator.gallery import VIEWS
from vms.simulator.server import Simulator
from vms.simulator.sources import Scene

MAIN = (1280, 720, 15.0, 1_200_000)
SUB = (640, 360, 15.0, 350_000)


def demo_simulator(host: str = "127.0.0.1", port: int = 0) -> Simulator:
    """A simulator (not yet started) with the cameras parking, shop, gate and yard.

    Each has the streams `main` and `sub`, H.264, and sound where there is a microphone:
    in the shop and at the gate. Nothing is drawn while nobody watches.
    """
    simulator = Simulator(host, port)
    for view in VIEWS.values():
        simulator.add_camera(
            view.name,
            _scene(view.name, view.title, *MAIN),
            sub=_scene(view.name, view.title, *SUB),
            audio=Codec.AAC if view.name in ("shop", "gate") else None,
        )
    return simulator


def _scene(view: str, title: str, width: int, height: int, fps: float, bitrate: int) -> Scene:
    return Scene(
        width=width,
        height=height,
        fps=fps,
        bitrate=bitrate,
        gop=round(2 * fps),
        view=view,
        title=title,
        stamp_light=DIM,
    )
