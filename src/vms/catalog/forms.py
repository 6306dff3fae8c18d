"""Schedules and masks as the JSON text of a column; empty where there is none."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from vms.common.model.camera import Mask
from vms.common.model.schedule import RecordingMode, Schedule, Slot


def schedule_text(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    slots = [[s.day, s.start_minute, s.end_minute, s.mode.value] for s in schedule.slots]
    return _text({"zone": schedule.zone, "slots": slots, "holidays": schedule.holidays})


@lru_cache(maxsize=256)
def schedule_of(text: str) -> Schedule | None:
    if not text:
        return None
    read = json.loads(text)
    slots = tuple(Slot(d, start, end, RecordingMode(mode)) for d, start, end, mode in read["slots"])
    return Schedule(read["zone"], slots, tuple(read["holidays"]))


def masks_text(masks: tuple[Mask, ...]) -> str:
    return _text([{"name": m.name, "points": m.points} for m in masks]) if masks else ""


def masks_of(text: str) -> tuple[Mask, ...]:
    if not text:
        return ()
    return tuple(
        Mask(tuple((float(x), float(y)) for x, y in mask["points"]), mask["name"])
        for mask in json.loads(text)
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
