"""The audit trail, gone through from its first entry to its last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vms.catalog.port_evidence import AuditRepository
from vms.common.errors import InvalidValue
from vms.common.model.evidence import FIRST_PREVIOUS, AuditEntry

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Checked:
    """`entries` that were looked at; `broken_at`: the number of the first that is not as it
    was written, or is missing; `head`: "number:digest" of the newest."""

    entries: int
    broken_at: int | None
    head: str

    @property
    def ok(self) -> bool:
        return self.broken_at is None


async def check_trail(rows: AuditRepository, expected: str = "") -> Checked:
    """Follow the chain. `expected`: a `head` that was noted earlier and must still be there,
    which tells of newest entries that were cut off. Raises CatalogError, InvalidValue."""
    wanted = _head(expected) if expected else None
    seq, previous, looked = 0, FIRST_PREVIOUS, 0
    while page := await rows.since(seq, _PAGE):
        broken = await asyncio.to_thread(_first_broken, page, seq, previous)
        if wanted and broken is None:
            broken = next(
                (e.seq for e in page if e.seq == wanted[0] and e.digest != wanted[1]), None
            )
        if broken is not None:
            return Checked(looked + len(page), broken, _named(page[-1]))
        looked += len(page)
        seq, previous = page[-1].seq, page[-1].digest
    head = f"{seq}:{previous}" if looked else ""
    return Checked(looked, seq + 1 if wanted and wanted[0] > seq else None, head)


def _first_broken(page: tuple[AuditEntry, ...], seq: int, previous: str) -> int | None:
    for entry in page:
        seq += 1
        if entry.seq != seq or not entry.is_whole(previous):
            return seq
        previous = entry.digest
    return None


def _named(entry: AuditEntry) -> str:
    return f"{entry.seq}:{entry.digest}"


def _head(text: str) -> tuple[int, str]:
    number, colon, digest = text.strip().partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and colon and digest):
        raise InvalidValue("a head of the audit trail looks like 1234:<digest>")
    return int(number), digest.lower()
