"""Waiting longer after each failure, with jitter, so that a crowd does not march in step."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays in seconds: `first`, doubled up to `longest`, each scaled by 0.5 to 1.0."""

    first: float = 0.5
    longest: float = 30.0
    rng: random.Random = field(default_factory=random.Random)
    _next: float = 0.0

    def next(self) -> float:
        self._next = min(self._next * 2 or self.first, self.longest)
        return self._next * self.rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._next = 0.0
