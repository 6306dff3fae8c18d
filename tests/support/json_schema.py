"""As much of JSON Schema as the project's own schemas use; other keywords are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "string": (str,), "integer": (int,), "null": (type(None),),
    "array": (list,), "boolean": (bool,), "number": (float, int),
}  # fmt: skip
_KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "const", "enum", "minimum",
    "maximum", "maxLength", "pattern", "properties", "required", "additionalProperties", "oneOf",
    "items",
}  # fmt: skip


def fits(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether the value is valid; `root` is where `$ref` leads to."""
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "oneOf" in schema:
        return sum(fits(value, option, root) for option in schema["oneOf"]) == 1
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, list) and not all(fits(v, schema.get("items", {}), root) for v in value):
        return False
    return _fits_type(value, schema) and _fits_object(value, schema, root)


def _fits_type(value: Any, schema: Mapping[str, Any]) -> bool:
    names = schema.get("type", list(_TYPES))
    wanted = [kind for name in ([names] if isinstance(names, str) else names)
              for kind in _TYPES[name]]  # fmt: skip
    if type(value) not in wanted:
        return False
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, str):
        return len(value) <= schema.get("maxLength", len(value)) and bool(
            re.search(schema.get("pattern", ""), value)
        )
    return True


def _fits_object(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict) or "properties" not in schema:
        return True
    known = schema["properties"]
    if not set(schema.get("required", ())) <= value.keys():
        return False
    if schema.get("additionalProperties") is False and not value.keys() <= known.keys():
        return False
    return all(fits(part, known[name], root) for name, part in value.items() if name in known)
