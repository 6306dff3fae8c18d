"""What stands in the scenes: a parking lot, a shop, a gate at dusk, a yard."""

from __future__ import annotations

from vms.simulator import raster
from vms.simulator.brush import Brush
from vms.simulator.raster import Colour

_WHITE: Colour = (222, 222, 214)


def _parked(brush: Brush, x: float, z: float, paint: Colour) -> None:
    """A car that stands with its rear towards the camera."""
    brush.shadow(x, z, 1.25, 0.9, 0.6)
    brush.block(x - 0.88, x + 0.88, z, z + 4.2, 0.92, paint, 0.28)
    dark = (paint[0] * 0.7, paint[1] * 0.7, paint[2] * 0.7)
    brush.block(x - 0.74, x + 0.74, z + 0.9, z + 3.0, 1.46, dark, 0.9)
    glass = ((x - 0.68, z + 0.5, 0.95), (x + 0.68, z + 0.5, 0.95))
    brush.face((*glass, (x + 0.6, z + 0.92, 1.38), (x - 0.6, z + 0.92, 1.38)), (52, 64, 76))
    for side in (-1, 1):
        a, b = sorted((x + side * 0.84, x + side * 0.56))
        brush.wall(a, b, z, 0.62, 0.82, (178, 30, 28))
        a, b = sorted((x + side * 0.82, x + side * 0.56))
        brush.wall(a, b, z, 0.02, 0.3, (20, 20, 22))
    brush.wall(x - 0.26, x + 0.26, z, 0.46, 0.6, (226, 226, 220))


def _windows(brush: Brush, x0: float, x1: float, z: float, low: float, lit: float) -> None:
    """A row of windows, some of them lit."""
    x = x0
    while x + 1.4 < x1:
        glow = brush.rng.uniform() < lit
        colour: Colour = (236, 204, 138) if glow else (70, 86, 100)
        brush.wall(x, x + 1.3, z, low, low + 1.5, (60, 62, 64))
        brush.wall(x + 0.08, x + 1.22, z, low + 0.08, low + 1.42, colour)
        brush.wall(x + 0.61, x + 0.69, z, low, low + 1.5, (60, 62, 64))
        x += 2.4


def parking(brush: Brush) -> None:
    brush.sky((126, 164, 202), (206, 220, 230))
    brush.ground((104, 106, 108), 7)
    brush.wall(-26, 30, 38, 0, 7.5, (176, 160, 142))
    brush.wall(-26, 30, 38, 7.1, 7.5, (120, 108, 96))
    _windows(brush, -25, 29, 38, 1.2, 0.1)
    _windows(brush, -25, 29, 38, 4.2, 0.1)
    brush.patch(-60, 60, 31, 38, (96, 124, 72))
    for x, high in ((-19, 5.5), (-11.5, 6.4), (-3, 5.2), (6.5, 6.2), (13, 5.0), (20, 6.5)):
        brush.tree(x, 33, high, (74, 112, 58))
    brush.patch(-60, 60, 30.4, 31, (150, 148, 142))
    for bay in range(-8, 9):
        left = bay * 2.7
        brush.patch(left - 0.07, left + 0.07, 22, 27.5, _WHITE, 0.85)
        brush.patch(left - 0.07, left + 0.07, 9.4, 13.6, _WHITE, 0.85)
    paints: tuple[Colour, ...] = (
        (168, 40, 40), (54, 84, 138), (206, 208, 210),
        (40, 42, 46), (120, 128, 132), (196, 178, 130),
    )  # fmt: skip
    for index, bay in enumerate((-7, -5, -4, -2, 0, 1, 3, 4, 6)):
        _parked(brush, bay * 2.7 + 1.35, 22.8, paints[index % len(paints)])
    for bay, paint in ((-3, paints[1]), (1, paints[2]), (2, paints[0])):
        _parked(brush, bay * 2.7 + 1.35, 9.6, paint)
    for x in (-9.0, -1.0, 8.0):
        brush.patch(x, x + 1.8, 17.8, 17.95, _WHITE, 0.7)
    brush.lamp(-6.7, 20.5, 6.5)
    brush.lamp(7.2, 20.5, 6.5)
    brush.finish((1.02, 1.0, 0.97), 0.3)


def shop(brush: Brush) -> None:
    brush.canvas[:] = (206, 200, 190)
    brush.ground((196, 184, 168), 2.5)
    for z in range(2, 16):
        for tile in range(-10, 10):
            if (tile + z) % 2:
                brush.patch(tile, tile + 1, z, z + 1, (158, 142, 124), 0.55)
    brush.wall(-12, 12, 15, 0, 5, (214, 206, 192))
    brush.wall(-12, 12, 15, 3.1, 3.5, (36, 92, 108))
    for left in (-8.6, -4.3, 0.0, 4.3):
        _shelf(brush, left, left + 3.9, 14.4, 2.5)
    for x in (-7.2, 3.4):
        brush.shadow(x + 1.9, 10.4, 2.5, 0.8, 0.4)
        brush.block(x, x + 3.8, 10.2, 11.2, 1.25, (152, 118, 84))
        _goods(brush, x + 0.1, x + 3.7, 10.2, 0.75, 1.15)
        _goods(brush, x + 0.1, x + 3.7, 10.2, 0.2, 0.62)
    brush.shadow(-3.1, 5.4, 1.6, 0.7, 0.5)
    brush.block(-5.6, -2.2, 5.2, 6.2, 1.05, (118, 84, 60))
    brush.wall(-5.5, -2.3, 5.2, 0.15, 0.85, (148, 108, 76))
    brush.block(-3.3, -2.7, 5.4, 5.7, 1.5, (44, 46, 50), 1.05)
    brush.wall(-3.25, -2.75, 5.4, 1.15, 1.45, (108, 168, 196))
    for x in (-5.0, 0.0, 5.0):
        spot = brush.point((x, 11, 3.9))
        raster.glow(brush.canvas, spot, (brush.width * 0.1, brush.height * 0.05), (1, 1, 0.92), 70)
    brush.finish((1.03, 1.0, 0.94), 0.35)


def _shelf(brush: Brush, x0: float, x1: float, z: float, high: float) -> None:
    brush.shadow((x0 + x1) / 2, z, (x1 - x0) / 2 + 0.3, 0.5, 0.35)
    brush.wall(x0, x1, z, 0, high, (104, 88, 74))
    for level in range(4):
        low = 0.15 + level * 0.58
        brush.wall(x0 + 0.06, x1 - 0.06, z, low, low + 0.5, (58, 50, 46))
        _goods(brush, x0 + 0.1, x1 - 0.1, z, low, low + 0.42)


def _goods(brush: Brush, x0: float, x1: float, z: float, low: float, high: float) -> None:
    """Packets and bottles side by side."""
    x = x0
    while x < x1 - 0.1:
        wide = min(brush.rng.uniform(0.12, 0.3), x1 - x)
        tall = low + (high - low) * brush.rng.uniform(0.65, 1)
        colour = tuple(brush.rng.uniform(50, 225, 3).tolist())
        brush.wall(x, x + wide - 0.02, z, low, tall, (colour[0], colour[1], colour[2]))
        brush.wall(x, x + wide - 0.02, z, low + 0.08, low + 0.14, (232, 230, 222))
        x += wide


def gate(brush: Brush) -> None:
    brush.sky((44, 58, 92), (190, 138, 112))
    brush.ground((84, 88, 70), 8)
    for row in range(-9, 10):
        brush.tree(row * 4.2 + (row % 3), 46, 6.5 + (row * row % 3), (40, 56, 44))
    brush.patch(-60, 60, 24, 31, (66, 66, 72))
    brush.patch(-60, 60, 27.4, 27.55, (196, 186, 140), 0.6)
    near = ((-2.6, 2, 0.0), (2.6, 2, 0.0), (3.2, 24.2, 0.0), (-3.2, 24.2, 0.0))
    brush.face(near, (78, 78, 82))
    brush.patch(-60, 60, 23.4, 24, (128, 126, 120), 0.8)
    for side in (-1, 1):
        for post in range(16):
            x = side * (3.6 + post * 1.2)
            brush.wall(x - 0.05, x + 0.05, 19, 0, 1.9, (92, 96, 98))
        a, b = sorted((side * 3.6, side * 22.0))
        for rail in (0.25, 0.7, 1.15, 1.6):
            brush.wall(a, b, 19, rail, rail + 0.05, (104, 108, 110))
    _guard_house(brush)
    for x in (-3.5, 3.5):
        brush.block(x - 0.3, x + 0.3, 18.8, 19.4, 2.3, (150, 138, 122))
    brush.block(3.0, 3.4, 17.3, 17.7, 1.1, (196, 156, 40))
    for part in range(8):
        colour: Colour = (206, 44, 38) if part % 2 else (232, 230, 224)
        brush.wall(3.1 - (part + 1) * 0.72, 3.1 - part * 0.72, 17.4, 0.92, 1.06, colour)
    brush.lamp(5.2, 18.2, 5.5, 95)
    brush.lamp(-13, 22.8, 6.5, 70)
    brush.lamp(15, 22.8, 6.5, 70)
    brush.finish((0.9, 0.94, 1.1), 0.5, 3)


def _guard_house(brush: Brush) -> None:
    brush.shadow(-6.4, 15.8, 2.3, 1.4, 0.6)
    brush.block(-8.2, -4.8, 15.5, 18.5, 2.7, (146, 142, 132))
    brush.block(-8.5, -4.5, 15.3, 18.7, 2.95, (84, 70, 64), 2.7)
    brush.wall(-7.7, -6.1, 15.5, 1.0, 2.2, (58, 60, 62))
    brush.wall(-7.62, -6.18, 15.5, 1.08, 2.12, (248, 216, 148))
    brush.wall(-5.8, -5.0, 15.5, 0, 2.15, (70, 64, 60))
    spot = brush.point((-6.9, 15.4, 1.6))
    metre = brush.lens.project(0, 15.4)[2] * brush.height
    raster.glow(brush.canvas, spot, (3 * metre, 2.4 * metre), (1, 0.8, 0.5), 60)


def yard(brush: Brush) -> None:
    brush.sky((168, 176, 182), (206, 208, 206))
    brush.ground((150, 148, 142), 6)
    for z in (8, 13, 18, 23, 28):
        brush.patch(-60, 60, z, z + 0.05, (100, 98, 94), 0.6)
    for joint in range(-28, 30, 6):
        brush.patch(joint, joint + 0.06, 2, 34, (100, 98, 94), 0.6)
    brush.wall(-32, 34, 34, 0, 8.5, (136, 148, 156))
    for rib in range(-31, 34):
        brush.wall(rib, rib + 0.08, 34, 0, 8.1, (118, 130, 138))
    brush.wall(-32, 34, 34, 8.1, 8.5, (70, 84, 96))
    for x in (-14.0, -4.5, 5.0, 14.5):
        brush.wall(x, x + 5.2, 34, 0, 4.8, (66, 76, 84))
        for slat in range(12):
            low = 0.1 + slat * 0.38
            brush.wall(x + 0.2, x + 5.0, 34, low, low + 0.32, (176, 180, 180))
        brush.wall(x - 0.3, x - 0.05, 34, 0, 1.2, (220, 180, 40))
    stacks: tuple[tuple[float, float, float, Colour], ...] = (
        (-17.0, 20.5, 2.6, (44, 92, 128)), (-17.0, 20.5, 5.1, (170, 78, 48)),
        (-17.0, 16.5, 2.6, (64, 116, 84)), (9.5, 20.0, 2.6, (176, 138, 52)),
        (9.5, 20.0, 5.1, (58, 76, 120)), (10.5, 15.6, 2.6, (150, 62, 54)),
    )  # fmt: skip
    for left, near, top, colour in stacks:
        _container(brush, left, near, top, colour)
    brush.patch(-6.3, -6.15, 5, 33, (226, 192, 52), 0.8)
    brush.patch(6.15, 6.3, 5, 33, (226, 192, 52), 0.8)
    for left, near in ((-4.4, 10.5), (-3.2, 10.9), (4.4, 9.6)):
        _pallet(brush, left, near)
    brush.lamp(7.5, 24.5, 8)
    brush.finish((0.97, 1.0, 1.02), 0.32)


def _container(brush: Brush, x: float, z: float, top: float, colour: Colour) -> None:
    low = top - 2.5
    if low < 0.2:
        brush.shadow(x + 3.0, z + 0.6, 3.7, 1.6, 0.5)
    brush.block(x, x + 6.1, z, z + 2.4, top, colour, low)
    dark = (colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8)
    for rib in range(20):
        left = x + 0.12 + rib * 0.3
        brush.wall(left, left + 0.13, z, low + 0.15, top - 0.15, dark)


def _pallet(brush: Brush, x: float, z: float) -> None:
    brush.shadow(x + 0.5, z + 0.3, 0.9, 0.6, 0.5)
    brush.block(x, x + 1.1, z, z + 0.9, 0.15, (160, 124, 82))
    brush.block(x + 0.06, x + 1.04, z + 0.05, z + 0.85, 1.0, (188, 154, 110), 0.15)
    brush.wall(x + 0.5, x + 0.6, z + 0.05, 0.15, 1.0, (210, 196, 160))
