"""Kinds of text that requests hold, each with its limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from vms.api.problems import RequestRefused

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Line = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)]
"""One line for people or a user name at a camera; may be empty."""

Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
]
"""A name for people."""

Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"),
]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Password = Annotated[
    str, Field(max_length=256, json_schema_extra={"writeOnly": True, "format": "password"})
]
Moment = Annotated[
    str,
    Field(
        max_length=40,
        description="Epoch milliseconds, or RFC 3339 with an offset.",
        examples=["1790000000000", "2026-09-21T14:13:20Z"],
    ),
]

_MILLISECOND = 1_000_000
_LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""


def parse_moment(text: str, field: str) -> int:
    """UTC nanoseconds. Raises RequestRefused naming `field`."""
    if text.isascii() and text.isdigit():
        milliseconds = int(text)
        if milliseconds > _LATEST_MS:
            raise RequestRefused("the time is after the year 9999", field=field)
        return milliseconds * _MILLISECOND
    try:
        # A '+' that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise RequestRefused(
            "expected epoch milliseconds or a time like 2026-09-21T14:13:20Z", field=field
        ) from None
    if moment.tzinfo is None:
        raise RequestRefused("the time needs an offset, such as Z or -03:00", field=field)
    try:
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        raise RequestRefused("the time is out of range", field=field) from None
    nanoseconds = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
    if nanoseconds < 0:
        raise RequestRefused("the time is before 1970", field=field)
    return nanoseconds


def rfc3339(t_ns: int) -> str:
    """UTC, to the millisecond."""
    moment = datetime.fromtimestamp(t_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{t_ns // 1_000_000 % 1000:03d}Z"
