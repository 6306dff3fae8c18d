"""The JSON Schema of the index says the same as the parser, for real and made-up indexes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.format.test_index_chain import WHOLE, indexes_of_any_kind
from tests.support.json_schema import fits
from tests.support.storage_media import encode_aac, encode_video, merged, units

from vms.common.errors import ParseError
from vms.format import index as indexes
from vms.format.index import SegmentIndex
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.volume import Volume

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "recording-index.schema.json").read_text())


def titles(data: bytes) -> list[str]:
    """Which of the three kinds each line is; raises where one is none of them."""
    found = []
    for line in data.splitlines():
        value = json.loads(line)
        kinds = [part["title"] for part in SCHEMA["$defs"].values() if fits(value, part, SCHEMA)]
        assert len(kinds) == 1, value
        assert fits(value, SCHEMA, SCHEMA)
        found += kinds
    return found


def test_written_indexes_are_as_the_schema_says(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 0)
    volume.prepare()
    recorder = StreamRecorder("front", "main", volume, StorageSettings(start_wait_s=1), Watcher())
    sent = merged(units(*encode_video(), capture_offset_ns=5), units(*encode_aac(), track=1))
    sent[20].damaged = True
    recorder.write(sent)
    recorder.close()
    (path,) = tmp_path.rglob("*.index.jsonl")
    data = path.read_bytes()
    assert b'"d":1' in data
    assert titles(data) == ["Header", *["Group of pictures"] * 5, "End"]


@given(indexes_of_any_kind())
def test_any_index_is_as_the_schema_says(index: SegmentIndex) -> None:
    found = titles(indexes.encode(index))
    assert found == [
        "Header", *["Group of pictures"] * len(index.groups), *(["End"] if index.end else []),
    ]  # fmt: skip


odd: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False)
    | st.text(max_size=70) | st.just([]) | st.integers(1 << 61, 1 << 63)
    | st.text("0123456789abcdefABCDEF", min_size=63, max_size=65)
)  # fmt: skip


@given(st.integers(0, 5), st.data(), odd)
def test_a_line_that_the_schema_refuses_is_refused_by_the_parser(
    number: int, data: st.DataObject, value: Any
) -> None:
    lines = WHOLE.splitlines()
    fields = json.loads(lines[number])
    names = [*fields, "d", "more"]
    name = data.draw(st.sampled_from(names))
    if data.draw(st.booleans()):
        fields.pop(name, None)
    else:
        fields[name] = value
    lines[number] = json.dumps(fields).encode()
    try:
        indexes.parse(b"".join(line + b"\n" for line in lines))
    except ParseError:
        return
    assert fits(fields, SCHEMA, SCHEMA) or fields["schema"] == 1


def test_the_example_of_the_reference_holds_together() -> None:
    page = (REFERENCE / "recording-index.md").read_text()
    example = page.split("```json\n")[1].split("```")[0].encode()
    assert titles(example) == ["Header", "Group of pictures", "End"]
    assert indexes.check(indexes.parse(example))
