"""Asking the ingest role, which alone talks to cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vms.api.problems import RequestRefused
from vms.api.services import ApiServices
from vms.bus import subjects
from vms.common.errors import BusError, NoResponder
from vms.common.model.messages import Command

Answer = TypeVar("Answer", bound=BaseModel)


async def ask_ingest(
    services: ApiServices,
    answer: type[Answer],
    kind: str,
    body: Mapping[str, Any],
    limit: float,
) -> Answer:
    """The answer of ingest to a command, within `limit` seconds.

    Raises RequestRefused: 422 with ingest's own sentence where the camera did not do it,
    429 where too many ask at once; and BusError where no ingest role answers.
    """
    if services.probes.locked():
        raise RequestRefused("other cameras are being tried; try again in a few seconds", 429)
    async with services.probes:
        try:
            reply = await services.bus.request(
                subjects.INGEST_COMMANDS, Command(kind, body), timeout=limit
            )
        except NoResponder as error:
            raise BusError("no ingest role runs, so no camera can be asked; start it") from error
    if reply.error:
        raise RequestRefused(reply.error)
    try:
        return answer.model_validate(dict(reply.body))
    except ValidationError as error:
        raise BusError(
            f"the ingest role answered {kind!r} in a form that is not understood; "
            "do all roles run the same version?"
        ) from error
