"""Calendars and privacy masks as JSON. What the model refuses is an error of its field."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vms.api.text import Line
from vms.common.model.camera import MAX_MASKS, Mask
from vms.common.model.schedule import (
    HOLIDAY,
    MAX_HOLIDAYS,
    MAX_SLOTS,
    MINUTES,
    RecordingMode,
    Schedule,
    Slot,
)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SlotModel(_Form):
    """A part of a day by the wall clock of the calendar's zone."""

    day: int = Field(ge=0, le=HOLIDAY, description="0 is Monday, 6 Sunday, 7 a holiday.")
    start_minute: int = Field(ge=0, lt=MINUTES, description="Since midnight.")
    end_minute: int = Field(gt=0, le=MINUTES)
    mode: RecordingMode

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.slot()
        return self

    def slot(self) -> Slot:
        return Slot(self.day, self.start_minute, self.end_minute, self.mode)


class ScheduleModel(_Form):
    """A week in `zone`; outside of its slots nothing is recorded. On holidays the slots of
    day 7 hold and no others."""

    zone: Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Lisbon"])]
    slots: Annotated[list[SlotModel], Field(max_length=MAX_SLOTS)]
    holidays: Annotated[
        list[Annotated[str, Field(max_length=10, json_schema_extra={"format": "date"})]],
        Field(max_length=MAX_HOLIDAYS),
    ] = []

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.schedule()
        return self

    def schedule(self) -> Schedule:
        slots = tuple(slot.slot() for slot in self.slots)
        return Schedule(self.zone, slots, tuple(self.holidays))

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleModel:
        slots = [
            SlotModel(
                day=slot.day,
                start_minute=slot.start_minute,
                end_minute=slot.end_minute,
                mode=slot.mode,
            )
            for slot in schedule.slots
        ]
        return cls(zone=schedule.zone, slots=slots, holidays=list(schedule.holidays))


Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class MaskModel(_Form):
    """A polygon of the picture: pairs of x and y, each 0 to 1 from the top left."""

    name: Line = ""
    points: Annotated[
        list[Annotated[list[Part], Field(min_length=2, max_length=2)]],
        Field(min_length=3, max_length=32),
    ]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.mask()
        return self

    def mask(self) -> Mask:
        return Mask(tuple((x, y) for x, y in self.points), self.name)

    @classmethod
    def of(cls, mask: Mask) -> MaskModel:
        return cls(name=mask.name, points=[[x, y] for x, y in mask.points])


Masks = Annotated[list[MaskModel], Field(max_length=MAX_MASKS)]
