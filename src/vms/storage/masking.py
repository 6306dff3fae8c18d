"""Where this room takes the masks' painter from: live snapshots, a room beside, need it too."""

from __future__ import annotations

from vms.format.masking import Outline, Painter, hidden_pixels

__all__ = ["Outline", "Painter", "hidden_pixels"]
