from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from vms.common.secret import Secret
from vms.telemetry.logs import Repeats, configure, redact_event, redact_text


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_when_not_a_terminal() -> None:
    stream = io.StringIO()
    configure("info", stream=stream)
    log = structlog.get_logger("vms.storage.recorder")
    log.debug("not shown")
    log.info("segment closed", camera="front", size=12)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "segment closed",
        "level": "info",
        "logger": "vms.storage.recorder",
        "camera": "front",
        "size": 12,
    }


def test_people_get_a_line_they_can_read() -> None:
    stream = io.StringIO()
    configure("info", json=False, stream=stream)
    structlog.get_logger("vms.x").warning("camera is slow", camera="front")
    assert "camera is slow" in stream.getvalue()
    assert "camera=front" in stream.getvalue()


def test_libraries_log_the_same_way() -> None:
    stream = io.StringIO()
    configure("info", json=True, stream=stream)
    logging.getLogger("uvicorn.error").warning("open %s", "rtsp://u:pw@camera/")
    (line,) = lines(stream)
    assert line["event"] == "open rtsp://***@camera/"
    assert line["logger"] == "uvicorn.error"
    assert line["level"] == "warning"


def test_nothing_secret_gets_out() -> None:
    stream = io.StringIO()
    configure("debug", json=True, stream=stream)
    log = structlog.get_logger("vms.x")
    log.info(
        "login to rtsp://root:hunter2@camera/1",
        password="hunter2",
        access_token="hunter2",
        url="rtsp://root:hunter2@camera/1",
        headers={"Authorization": "Digest hunter2", "deep": [{"client_secret": "hunter2"}]},
        header="Authorization: Basic hunter2hunter2",
        wrapped=Secret("hunter2"),
        raw=b"rtsp://root:hunter2@camera/1",
        error=OSError("cannot open http://root:hunter2@camera/"),
        has_password=True,
        password_hint="",
    )
    try:
        raise OSError("cannot open http://root:hunter2@camera/")
    except OSError:
        log.exception("it failed")
    assert "hunter2" not in stream.getvalue()
    first, second = lines(stream)
    assert first["has_password"] is True
    assert first["password_hint"] == ""
    assert first["url"] == "rtsp://***@camera/1"
    assert "OSError" in second["exception"]


def test_nothing_secret_gets_out_to_people() -> None:
    stream = io.StringIO()
    configure("debug", json=False, stream=stream)
    try:
        raise OSError("cannot open http://root:hunter2@camera/")
    except OSError:
        structlog.get_logger("vms.x").exception("it failed")
    assert "hunter2" not in stream.getvalue()
    assert "Traceback" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the camera wants basic authentication, set one", None),
        ("digest authentication refused", None),
        ("sent Basic cm9vdDpodW50ZXIy", "sent Basic ***"),
        ("with bearer eyJhbGciOi.eyJzdWIiOiJh.x_1-2", "with bearer ***"),
        ("Authorization: Digest username=root, response=1", "Authorization: Digest ***"),
        ("GET rtsp://camera/a@b", None),
    ],
)
def test_only_credentials_are_hidden(text: str, shown: str | None) -> None:
    assert redact_text(text) == (text if shown is None else shown)


def test_repeated_errors_are_written_once_a_second_with_a_count() -> None:
    now = [100.0]
    repeats = Repeats(lambda: now[0])

    def write(camera: str) -> dict[str, Any] | None:
        event = {"level": "error", "event": "lost", "camera": camera}
        try:
            return dict(repeats(None, "error", event))
        except structlog.DropEvent:
            return None

    assert write("front") is not None
    for _ in range(5):
        now[0] += 0.1
        assert write("front") is None
    assert write("back") is not None
    now[0] += 0.6
    again = write("front")
    assert again is not None
    assert again["repeated"] == 5
    now[0] += 2
    assert "repeated" not in (write("front") or {"repeated": 0})


def test_information_is_never_dropped() -> None:
    repeats = Repeats(lambda: 0.0)
    for _ in range(3):
        assert repeats(None, "info", {"level": "info", "event": "x"})


def test_many_kinds_of_errors_do_not_grow_without_bound() -> None:
    repeats = Repeats(lambda: 0.0)
    for number in range(3000):
        repeats(None, "error", {"level": "error", "event": str(number)})
    assert len(repeats._seen) <= 1000


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of debug"):
        configure("loud")


@given(st.dictionaries(st.text(max_size=12), st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
), max_size=5))  # fmt: skip
def test_any_event_can_be_redacted_and_written(event: dict[str, Any]) -> None:
    json.dumps(redact_event(None, "info", dict(event)))


@given(st.text(alphabet="abcDEF123!$%&*()-_=+", min_size=3, max_size=20), st.text(max_size=30))
def test_credentials_in_any_text_are_hidden(password: str, around: str) -> None:
    hidden = redact_text(f"{around} rtsp://user:{password}q9q9@camera/live {around}")
    assert f"{password}q9q9@" not in hidden
    assert "@camera/live" in hidden
