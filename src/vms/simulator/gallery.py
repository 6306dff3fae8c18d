"""The scenes that can be shown, with what moves in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vms.common.errors import ConfigError
from vms.simulator import scenery
from vms.simulator.brush import Brush
from vms.simulator.raster import Colour, Pixels
from vms.simulator.sprites import Kind, Look
from vms.simulator.world import Lens, Mover


@dataclass(frozen=True, slots=True)
class View:
    """A scene: its lens, how its empty background is painted, and what moves in it."""

    name: str
    title: str
    lens: Lens
    painter: Callable[[Brush], None]
    movers: tuple[Mover, ...]

    def paint(self, width: int, height: int) -> tuple[Pixels, Pixels]:
        """RGB (0-255) of the empty scene, and how far away each of its pixels is (m)."""
        brush = Brush(width, height, self.lens)
        self.painter(brush)
        return brush.canvas.clip(0, 255), brush.depth


def _car(paint: Colour) -> Look:
    return Look(Kind.CAR, paint)


def _van(paint: Colour, sign: Colour) -> Look:
    return Look(Kind.VAN, paint, sign)


def _person(shirt: Colour, trousers: Colour = (48, 52, 66)) -> Look:
    return Look(Kind.PERSON, shirt, trousers)


_VEST: Colour = (236, 150, 36)
_DENIM: Colour = (60, 68, 92)

# Look, path, speed; seconds of a round, start in it; halt, and at which point.
_PARKING = (
    Mover(_person((176, 66, 58)), ((-17, 28.8), (18, 28.8)), 1.4, 34),
    Mover(_van((214, 216, 218), (36, 92, 148)), ((17, 19.4), (-18, 19.4)), 5.5, 26, 6),
    Mover(_car((46, 108, 166)), ((-15, 16.4), (15, 16.4)), 5.0, 18, 1),
    Mover(_car((196, 60, 42)), ((14, 18.2), (-15, 18.2)), 6.0, 26, 15),
    Mover(_person((66, 116, 92)), ((9.5, 14.6), (-2.2, 14.6), (-9.8, 14.6)), 1.3, 30, 3, 4, 1),
    Mover(_person((186, 184, 178)), ((-1.4, 20.9), (-0.9, 8.2), (-2.6, 4)), 1.2, 28, 11),
)
_SHOP = (
    Mover(_person((196, 176, 70), _DENIM), ((-9, 12.6), (0, 12.6), (9, 12.6)), 0.9, 27, 0, 5, 1),
    Mover(_person((60, 104, 160)), ((8, 9.4), (1.2, 9.6), (-2, 13.4), (-2.2, 13)), 1, 31, 9, 6, 1),
    Mover(_person((188, 74, 92)), ((6, 8.4), (-1.6, 7.4), (6.5, 8.0)), 1.0, 33, 4, 8, 1),
    Mover(_person((228, 228, 222)), ((-4.8, 6.7), (-3.0, 6.7), (-4.8, 6.7)), 0.6, 15, 2, 6, 1),
    Mover(_person((92, 138, 92)), ((4.8, 6.6), (-1.2, 6.2), (0.6, 12), (1, 13)), 1, 26, 12, 3, 1),
)
_GATE = (
    Mover(_car((176, 178, 182)), ((-23, 29.4), (23, 29.4)), 11, 13, 2),
    Mover(_van((150, 60, 52), (230, 226, 210)), ((23, 25.8), (-24, 25.8)), 9, 21, 8),
    Mover(_car((38, 44, 56)), ((22, 26.0), (-22, 26.0)), 12, 17, 1),
    Mover(_person((150, 150, 160)), ((-13, 21.8), (13, 21.8)), 1.4, 29, 5),
    Mover(_person(_VEST), ((-4.2, 14.6), (1.6, 13.2), (-4.2, 14.6)), 1.0, 24, 0, 6, 1),
    Mover(
        _person((96, 104, 142)), ((0.4, 23), (0.2, 18), (-0.6, 7.5), (-0.8, 4)), 1.2, 37, 18, 4, 1
    ),
)
_YARD = (
    Mover(_person(_VEST), ((-13, 31), (14, 31)), 1.3, 27, 3),
    Mover(_van((222, 224, 226), (196, 64, 44)), ((19, 27), (0, 27), (-20, 27)), 4.5, 24, 2, 5, 1),
    Mover(_person((210, 210, 60), _DENIM), ((-6, 17.8), (5.5, 16.8), (-7, 18)), 1.2, 30, 1, 5, 1),
    Mover(_car((82, 92, 102)), ((-15, 13.6), (15, 13.6)), 4.5, 22, 9),
    Mover(_person(_VEST), ((7.6, 8.2), (-2.0, 8.6), (-8.5, 8.0)), 1.2, 25, 14, 4, 1),
)

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("parking", "Parking lot", Lens(6.2, 0.14, 1.05), scenery.parking, _PARKING),
        View("shop", "Shop", Lens(3.6, 0.1, 0.95), scenery.shop, _SHOP),
        View("gate", "Gate", Lens(4.6, 0.2, 1.15), scenery.gate, _GATE),
        View("yard", "Yard", Lens(5.8, 0.12, 1.0), scenery.yard, _YARD),
    )
}


def view_named(name: str) -> View:
    """Raises ConfigError for a name that is none."""
    try:
        return VIEWS[name]
    except KeyError:
        raise ConfigError(f"no scene {name!r}; there are {', '.join(VIEWS)}") from None
