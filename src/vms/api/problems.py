"""Errors as RFC 9457 problem details, and how they stand in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from vms.auth.passwords import Busy, WeakPassword
from vms.auth.throttle import Throttled
from vms.auth.users import BadUserName
from vms.common import errors
from vms.common.secret import redact

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_MAX_FIELDS = 20


class FieldProblem(BaseModel):
    """One value of the request that cannot be taken."""

    field: str = Field(description="Where it stands, as a path: body.streams.0.url")
    message: str


class Problem(BaseModel):
    """What went wrong and what to do about it (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = Field(
        default=None, description="Only where values of the request cannot be taken."
    )


class RequestRefused(errors.VmsError):
    """A request that cannot be done as it is asked; `status` is the HTTP status."""

    def __init__(self, detail: str, status: int = 422, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.field = field


# The first that fits counts, so that a child stands before its parent.
_STATUS: tuple[tuple[type[errors.VmsError], int], ...] = (
    (errors.NotAuthenticated, 401),
    (errors.NotAuthorized, 403),
    (Throttled, 429),
    (Busy, 503),
    (WeakPassword, 422),
    (BadUserName, 422),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.CatalogError, 503),
    (errors.InvalidIdentifier, 422),
    (errors.InvalidValue, 422),
    (errors.ParseError, 400),
    (errors.SourceError, 422),
    (errors.BusError, 503),
    (errors.StorageError, 503),
)


def problem(
    status: int,
    detail: str,
    fields: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that failed."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": redact(detail),
    }
    if fields:
        body["errors"] = [field.model_dump() for field in fields]
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error that leaves a route become a problem."""
    app.add_exception_handler(errors.VmsError, _on_vms_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_vms_error(request: Request, error: Exception) -> JSONResponse:
    status = _status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="vms"'
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.retry_after)
    elif status == 503:
        headers["Retry-After"] = "2"
    if status >= 500:
        log.error("request failed", path=request.url.path, error=redact(str(error)))
    fields = None
    if isinstance(error, RequestRefused) and error.field:
        fields = [FieldProblem(field=error.field, message=str(error))]
    return problem(status, str(error), fields, headers)


def _status_of(error: Exception) -> int:
    if isinstance(error, RequestRefused):
        return error.status
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    # Rooms above may have errors of their own that carry their status.
    own = getattr(error, "http_status", None)
    return own if isinstance(own, int) else 500


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()[:_MAX_FIELDS]
    # The values themselves stay out: they may be passwords.
    fields = [
        FieldProblem(
            field=".".join(str(part) for part in one["loc"])[:200], message=str(one["msg"])[:300]
        )
        for one in found
    ]
    first = fields[0] if fields else FieldProblem(field="request", message="cannot be read")
    more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
    return problem(422, f"{first.field}: {first.message}{more}", fields)


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, str(error.detail), headers=headers)


def refuse_nulls(change: BaseModel) -> None:
    """In a PATCH, null would say the same as nothing, or mean to clear: it is not taken."""
    for field in change.model_fields_set:
        if getattr(change, field) is None:
            raise RequestRefused("leave it out to keep it; null is no value", field=f"body.{field}")


Responses = dict[int | str, dict[str, Any]]

CREATED: Responses = {
    201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The new one."}}}
}


def documented(*statuses: int) -> Responses:
    """The `responses` of a route that may answer with these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
