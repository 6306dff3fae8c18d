"""The OpenAPI document, completed with what every route may answer."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from vms.api.problems import MEDIA_TYPE, FieldProblem, Problem

_METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "Errors are problem details (RFC 9457). Times are epoch milliseconds unless a field says "
    "otherwise. Cameras that one may not see answer like cameras that are not there: 404."
)


def document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes of `app`."""
    found = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=_DESCRIPTION
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for model in (FieldProblem, Problem):
        schemas[model.__name__] = model.model_json_schema(ref_template=_REF)
        schemas[model.__name__].pop("$defs", None)
    for path, operation in _operations(found):
        _complete(path, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return found


def _operations(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, item[method]


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    wanted: set[int] = {503}
    if operation.get("security"):
        wanted |= {401, 403}
    if "{" in path:
        wanted.add(404)
    if "requestBody" in operation:
        wanted |= {400, 408, 413, 422}
        if "application/json" not in operation["requestBody"]["content"]:
            wanted.add(415)
    elif operation.get("parameters"):
        wanted.add(422)
    for status in sorted(wanted):
        if status == 422 or str(status) not in responses:
            responses[str(status)] = _problem(status)
    for status, response in responses.items():
        if status in ("429", "503"):
            response.setdefault("headers", {})["Retry-After"] = {
                "description": "Seconds to wait before the next try.",
                "schema": {"type": "integer"},
            }
    operation["responses"] = dict(sorted(responses.items()))


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
