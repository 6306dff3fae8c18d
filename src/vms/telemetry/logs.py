"""Logs: one line per event on standard error, for people or for programs.

Credentials in addresses and values under keys such as `password` never get out, and an
error that repeats is written at most once a second, with a count. What is written to
standard error goes there by a thread (see `outlet`): logging neither blocks nor raises.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from vms.telemetry.outlet import Outlet

HIDDEN = "***"
LEVELS = ("debug", "info", "warning", "error", "critical")

_SECRET_KEY = re.compile(r"(?i)passw(?:or)?d|token|secret|authorization|cookie|api_?key")
_CREDENTIALS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@\"']*@")
_AUTH_HEADER = re.compile(r"(?i)\b(authorization[:=]\s*\w+)\s+[^\r\n]+")
_AUTH_VALUE = re.compile(r"\b((?i:basic|bearer))\s+(?=\S*[0-9A-Z=])[A-Za-z0-9+/=._~-]{8,}")
_MAX_DEPTH = 5
_WINDOW_S = 1.0
_MAX_KEPT = 1000
_STANDARD_ERROR = 2
_outlet = Outlet(_STANDARD_ERROR)


def configure(level: str = "info", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send all logs, also those of libraries, to `stream` (standard error).

    `level` is one of LEVELS, else ValueError. `json` None: JSON unless the stream is a
    terminal.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"log level {level!r} must be one of {', '.join(LEVELS)}")
    target: Any = stream or _outlet
    shown_to = stream or sys.stderr
    on_terminal = shown_to is not None and shown_to.isatty()
    as_json = not on_terminal if json is None else json
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_logger,
    ]
    # Exceptions become text before the redaction, which reads text only.
    final: list[Processor] = [structlog.processors.format_exc_info, redact_event]
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=on_terminal)
    )
    structlog.configure(
        processors=[
            *shared,
            Repeats(),
            *final,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_NamedLoggers(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *final,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    # Libraries that tell every small step, at a level that hides what matters.
    for name in ("httpx", "httpcore", "asyncio", "websockets", "nats", "alembic", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)


def drain() -> None:
    """Wait a moment for what was logged to be written, before something else is said."""
    _outlet.drain()


def redact_text(text: str) -> str:
    """`text` without credentials in addresses and authorization headers."""
    if "://" in text:
        text = _CREDENTIALS.sub(rf"\1{HIDDEN}@", text)
    if "uthorization" in text or "AUTHORIZATION" in text:
        text = _AUTH_HEADER.sub(rf"\1 {HIDDEN}", text)
    if "asic " in text or "earer " in text:
        text = _AUTH_VALUE.sub(rf"\1 {HIDDEN}", text)
    return text


def redact_value(value: Any, depth: int = 0) -> Any:
    """`value` with all text in it redacted; what is neither text nor number becomes text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "backslashreplace"))
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {
                str(key): HIDDEN if is_secret(str(key), item) else redact_value(item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [redact_value(item, depth + 1) for item in value]
    return redact_text(str(value))


def is_secret(key: str, value: Any) -> bool:
    """Whether what stands under `key` must not be shown; emptiness may be."""
    return bool(value) and not isinstance(value, bool) and _SECRET_KEY.search(key) is not None


def redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The processor: redacts every value of an event."""
    return {
        key: HIDDEN if is_secret(key, value) else redact_value(value)
        for key, value in event.items()
    }


class Repeats:
    """Drops an error or warning that was written less than a second ago, and counts it.

    Two are the same when level, logger, event and the camera and stream they speak of are.
    The next one that is written carries `repeated`, how many were not.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        level = str(event.get("level", method))
        if level in ("debug", "info"):
            return event
        names = ("logger", "event", "camera", "stream", "error")
        key = (level, *(str(event.get(name, "")) for name in names))
        now = self._now()
        with self._lock:
            written, count = self._seen.pop(key, (-_WINDOW_S, 0))
            if now - written < _WINDOW_S:
                self._seen[key] = (written, count + 1)
                raise structlog.DropEvent
            self._seen[key] = (now, 0)
            if len(self._seen) > _MAX_KEPT:
                self._seen.popitem(last=False)
        if count:
            event["repeated"] = count
        return event


class _NamedLoggers:
    """Makes loggers that know the name given to `structlog.get_logger`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __call__(self, *args: Any) -> _NamedLogger:
        return _NamedLogger(self._stream, str(args[0]) if args else "")


class _NamedLogger(structlog.WriteLogger):
    def __init__(self, stream: Any, name: str) -> None:
        super().__init__(stream)
        self.name = name


def _name_logger(logger: WrappedLogger, _: str, event: EventDict) -> EventDict:
    name = getattr(logger, "name", None)
    if name is None:
        record = event.get("_record")
        name = getattr(record, "name", "")
    if name:
        event["logger"] = name
    return event
