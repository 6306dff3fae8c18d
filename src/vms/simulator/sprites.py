"""What moves in a scene: cars, vans and people, drawn from shapes at any size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vms.simulator import raster
from vms.simulator.raster import Colour, Ellipse, Pixels, Polygon, Shape, box, line

Plane = NDArray[np.uint8]
Painted = tuple[Shape, Colour, float]

GAIT_PHASES = 8
_WINDOW: Colour = (58, 72, 84)
_TYRE: Colour = (22, 22, 24)
_SKIN: Colour = (196, 152, 122)


class Kind(StrEnum):
    CAR = "car"
    VAN = "van"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Look:
    """What a thing looks like: its kind and its colours (paint, or shirt and trousers)."""

    kind: Kind
    first: Colour
    second: Colour = (48, 52, 66)


SIZES: dict[Kind, tuple[float, float]] = {
    Kind.CAR: (4.4, 1.5),
    Kind.VAN: (5.6, 2.4),
    Kind.PERSON: (0.9, 1.76),
}
"""Width and height in metres."""

_MARGIN = 0.12
"""Room for the shadow around the box of the thing, as a share of its height."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A picture with alpha, ready to lay over YUV 4:2:0. Sides are even.

    `foot` is where in it the thing stands: x of its middle, y of the ground.
    Colours are premultiplied; `keep` is how much of what lies below shows through (0-256).
    """

    y: Plane
    u: Plane
    v: Plane
    keep_y: NDArray[np.uint16]
    keep_uv: NDArray[np.uint16]
    foot: tuple[int, int]


def draw(look: Look, height: int, phase: int, *, mirrored: bool) -> Sprite:
    """`look` drawn `height` pixels high, going right, or left if `mirrored`.

    `phase` is the step of the gait, 0 to GAIT_PHASES - 1; cars have one.
    """
    wide, high = SIZES[look.kind]
    scale = max(height, 4)
    width = scale * wide / high
    margin = max(2.0, scale * _MARGIN)
    canvas = np.zeros((even(scale + 2 * margin), even(width + 2 * margin), 4), np.float32)
    for shape, colour, opacity in _parts(look, phase):
        x_scale = -width if mirrored else width
        x_shift = margin + (width if mirrored else 0)
        raster.fill(canvas, raster.scaled(shape, x_scale, scale, x_shift, margin), colour, opacity)
    return from_rgba(canvas, (round(margin + width / 2), round(margin + scale)))


def from_rgba(canvas: Pixels, foot: tuple[int, int]) -> Sprite:
    """A sprite of a premultiplied RGBA picture (0-255) with even sides."""
    alpha = canvas[..., 3]
    y, u, v = (p.round().clip(0, 255).astype(np.uint8) for p in raster.yuv_planes(canvas, alpha))
    keep = 256 - alpha * (256 / 255)
    return Sprite(
        y,
        u,
        v,
        keep.round().clip(0, 256).astype(np.uint16),
        raster.halved(keep).round().clip(0, 256).astype(np.uint16),
        foot,
    )


def even(value: float) -> int:
    """The next even number."""
    return 2 * math.ceil(value / 2)


def _parts(look: Look, phase: int) -> Iterator[Painted]:
    """Shapes in a box of 1 x 1, y down, ground at 1, nose to the right."""
    if look.kind is Kind.PERSON:
        return _person(look, phase)
    return _car(look) if look.kind is Kind.CAR else _van(look)


def _shade(colour: Colour, share: float) -> Colour:
    return (colour[0] * share, colour[1] * share, colour[2] * share)


def _wheel(x: float, y: float, aspect: float, size: float) -> Iterator[Painted]:
    yield Ellipse((x, y), (size / aspect, size)), _TYRE, 1
    yield Ellipse((x, y), (size * 0.5 / aspect, size * 0.5)), (150, 152, 156), 1


def _car(look: Look) -> Iterator[Painted]:
    body, dark, bright = look.first, _shade(look.first, 0.72), _shade(look.first, 1.18)
    yield Ellipse((0.5, 0.98), (0.54, 0.1)), (0, 0, 0), 0.45
    yield Polygon(((0.20, 0.45), (0.32, 0.06), (0.66, 0.06), (0.82, 0.45))), dark, 1
    yield Polygon(((0.32, 0.06), (0.36, 0.0), (0.62, 0.0), (0.66, 0.06))), bright, 1
    yield Polygon(((0.24, 0.43), (0.34, 0.12), (0.47, 0.12), (0.47, 0.43))), _WINDOW, 1
    yield Polygon(((0.50, 0.43), (0.50, 0.12), (0.64, 0.12), (0.77, 0.43))), _WINDOW, 1
    yield Polygon(((0.53, 0.2), (0.53, 0.14), (0.62, 0.14), (0.65, 0.2))), (120, 138, 150), 0.8
    yield Polygon(((0.01, 0.5), (0.06, 0.42), (0.92, 0.42), (0.985, 0.52))), bright, 1
    yield Polygon(((0.01, 0.5), (0.985, 0.5), (1, 0.62), (0.995, 0.84), (0, 0.84))), body, 1
    yield box(0.02, 0.78, 0.98, 0.87), _shade(look.first, 0.5), 1
    yield box(0.485, 0.44, 0.49, 0.76), dark, 1
    yield box(0.53, 0.53, 0.58, 0.56), dark, 1
    for x in (0.19, 0.81):
        yield Ellipse((x, 0.82), (0.205 / 2.93, 0.205)), _shade(look.first, 0.35), 1
        yield from _wheel(x, 0.83, 2.93, 0.17)
    yield box(0.955, 0.53, 0.992, 0.61), (255, 246, 206), 1
    yield box(0.003, 0.53, 0.03, 0.62), (196, 34, 30), 1


def _van(look: Look) -> Iterator[Painted]:
    body = look.first
    yield Ellipse((0.5, 0.985), (0.53, 0.07)), (0, 0, 0), 0.45
    yield box(0.01, 0.04, 0.74, 0.88), body, 1
    yield box(0.01, 0.04, 0.74, 0.09), _shade(body, 1.15), 1
    yield Polygon(((0.73, 0.07), (0.84, 0.1), (0.95, 0.46), (0.73, 0.46))), _shade(body, 0.9), 1
    yield Polygon(((0.76, 0.14), (0.83, 0.16), (0.92, 0.45), (0.76, 0.45))), _WINDOW, 1
    yield Polygon(((0.73, 0.45), (0.95, 0.45), (0.995, 0.56), (0.995, 0.88), (0.73, 0.88))), body, 1
    yield box(0.08, 0.3, 0.66, 0.5), look.second, 1
    yield box(0.12, 0.37, 0.5, 0.43), (236, 236, 232), 1
    yield box(0.01, 0.82, 0.99, 0.9), _shade(body, 0.5), 1
    for x in (0.18, 0.83):
        yield from _wheel(x, 0.88, 2.33, 0.115)
    yield box(0.965, 0.62, 0.995, 0.69), (255, 246, 206), 1
    yield box(0.008, 0.62, 0.025, 0.7), (196, 34, 30), 1


def _person(look: Look, phase: int) -> Iterator[Painted]:
    turn = 2 * math.pi * phase / GAIT_PHASES
    swing = math.sin(turn)
    shirt, trousers = look.first, look.second
    yield Ellipse((0.5, 0.985), (0.42, 0.03)), (0, 0, 0), 0.4
    for side in (-1, 1):
        reach = 0.26 * swing * side
        lift = 0.03 * max(0.0, math.cos(turn) * side)
        knee, foot = (0.5 + reach * 0.55, 0.73 - lift * 0.4), (0.5 + reach, 0.965 - lift)
        tone = _shade(trousers, 0.8 if side < 0 else 1.0)
        yield line((0.5, 0.5), knee, 0.105), tone, 1
        yield line(knee, foot, 0.085), tone, 1
        yield line((foot[0] - 0.03, foot[1]), (foot[0] + 0.12, foot[1]), 0.035), (30, 28, 28), 1
    yield from _arm(swing, shirt, 0.8)
    yield Ellipse((0.5, 0.33), (0.165, 0.2)), shirt, 1
    yield Ellipse((0.47, 0.31), (0.11, 0.16)), _shade(shirt, 1.12), 1
    yield from _arm(-swing, shirt, 0.92)
    yield box(0.46, 0.12, 0.54, 0.18), _shade(_SKIN, 0.85), 1
    yield Ellipse((0.51, 0.085), (0.115, 0.068)), _SKIN, 1
    yield Ellipse((0.475, 0.06), (0.115, 0.055)), (52, 40, 34), 1


def _arm(swing: float, colour: Colour, share: float) -> Iterator[Painted]:
    elbow, hand = (0.5 + swing * 0.14, 0.37), (0.53 + swing * 0.3, 0.5 - abs(swing) * 0.03)
    yield line((0.5, 0.2), elbow, 0.07), _shade(colour, share), 1
    yield line(elbow, hand, 0.055), _shade(colour, share), 1
    yield Ellipse(hand, (0.05, 0.026)), _SKIN, 1
