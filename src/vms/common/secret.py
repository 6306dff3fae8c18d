"""Text that never prints, and addresses without their credentials."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_CREDENTIALS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@]*@")


class Secret:
    """A password or key. Only `reveal()` gives the text; str() and repr() never do."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __str__(self) -> str:
        return "***" if self._value else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.union_schema(
            [core_schema.is_instance_schema(cls), from_text],
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )


def redact(text: str) -> str:
    """`text` with the credentials of every address in it replaced by `***`."""
    return _CREDENTIALS.sub(r"\1***@", text)


def split_credentials(url: str) -> tuple[str, str, Secret]:
    """`url` without its credentials, the user name and the password (percent-decoded)."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, "", Secret("")
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(user), Secret(unquote(password))


def join_credentials(url: str, username: str, password: Secret) -> str:
    """The reverse of `split_credentials`, for programs that want them in the address."""
    if not username:
        return url
    parts = urlsplit(url)
    userinfo = f"{quote(username, safe='')}:{quote(password.reveal(), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))
