"""`vms verify`: each byte of a case counts, and what is no case is refused."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.export_rig import exporting, footage
from tests.support.json_schema import fits
from tests.support.storage_media import SECOND, START_NS
from tests.support.storage_rig import camera
from typer.testing import CliRunner, Result

from vms.app import cli
from vms.storage.export import check, zip_layout
from vms.storage.export.check import What
from vms.storage.export.signing import SigningKey
from vms.storage.export.source import ZipSource
from vms.storage.export.spec import Burn, Format, Spec

START_MS = START_NS // 1_000_000
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "case.schema.json").read_text())
PAGE = b"<!doctype html><title>verify</title>"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras: one as recorded, with a gap; each byte of it is known."""
    return asyncio.run(_case(tmp_path_factory.mktemp("case"), Burn()))


@pytest.fixture(scope="module")
def burned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose pictures were encoded anew."""
    return asyncio.run(_case(tmp_path_factory.mktemp("burned"), Burn(time=True)))


async def _case(folder: Path, burn: Burn) -> Path:
    page = folder / "verify.html"
    page.write_bytes(PAGE)
    units = [
        *footage("front", 2),
        *footage("front", 2, after=12, run="run2"),
        *footage("back", 3, sound=False),
    ]
    async with exporting(folder, units, [camera(), camera("back")], page) as rig:
        spec = Spec(
            ("front", "back"), START_NS, START_NS + 14 * SECOND, format=Format.CASE, burn=burn,
            reason="theft\x1b[31m",
        )  # fmt: skip
        _, path = await rig.done(spec)
        return Path(shutil.copy(path, folder / "case.zip"))


@pytest.fixture
def spoiled(case: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copy(case, tmp_path / "spoiled.zip"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["verify", *map(str, arguments)])


def entries(path: Path) -> dict[str, zip_layout.Entry]:
    source = ZipSource(path)
    try:
        return {name: source._entries[name] for name in source.sizes}
    finally:
        source.close()


def flip(path: Path, at: int, mask: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def test_a_whole_case_is_ok_and_says_what_it_holds(case: Path) -> None:
    done = run(case)
    assert done.exit_code == 0, done.output
    assert "OK: all 3 files" in done.output
    assert "2026-09-21 14:13:20.000 UTC to 2026-09-21 14:13:34.000 UTC" in done.output
    assert "no footage front 2026-09-21 14:13:22.000 UTC to 2026-09-21 14:13:32" in done.output
    assert "ana" in done.output
    assert "\x1b" not in done.output
    told = json.loads(run(case, "--json").output)
    assert told["ok"] is True
    assert told["unproven"] == []


@pytest.mark.parametrize("which", ["case", "burned"])
def test_the_manifest_is_as_its_schema_says(which: str, request: pytest.FixtureRequest) -> None:
    with zipfile.ZipFile(request.getfixturevalue(which)) as file:
        manifest = json.loads(file.read("manifest.json"))
    assert fits(manifest, SCHEMA, SCHEMA)
    assert [one["id"] for one in manifest["cameras"]] == ["front", "back"]
    for change in ({"media": None}, {"odd": 1}, {"made_ms": -1}, {"by": {"id": "x"}}):
        assert not fits(manifest | change, SCHEMA, SCHEMA)
    without = {name: value for name, value in manifest.items() if name != "reason"}
    assert not fits(without, SCHEMA, SCHEMA)


def test_other_programs_unpack_it_and_the_folder_verifies(case: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(case) as file:
        assert file.testzip() is None
        file.extractall(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "front", "back", "index", "pieces", "manifest.json", "manifest.sig", "README.txt",
        "verify.html",
    }  # fmt: skip
    assert run(tmp_path / "out").exit_code == 0
    (tmp_path / "out" / "front" / "note.txt").write_text("hello")
    done = run(tmp_path / "out")
    assert done.exit_code == 1
    assert "ADDED front/note.txt" in done.output


def test_the_key_is_compared(case: Path) -> None:
    key = json.loads(run(case, "--json").output)["fingerprint"]
    spaced = " ".join(key[n : n + 4].upper() for n in range(0, 64, 4))
    assert run(case, "--key", spaced).exit_code == 0
    other = run(case, "--key", SigningKey(bytes(32)).fingerprint)
    assert other.exit_code == 1
    assert "KEY manifest.sig" in other.output
    with pytest.raises(Exception, match="no fingerprint"):
        CliRunner().invoke(cli.app, ["verify", str(case), "--key", "123"], catch_exceptions=False)


def test_an_altered_picture_is_named_with_its_span(spoiled: Path) -> None:
    name = "back/20260921T141320Z-main.mkv"
    entry = entries(spoiled)[name]
    flip(spoiled, entry.data_at + entry.size // 2)
    (finding,) = check.verify(spoiled).findings
    assert finding.what is What.ALTERED
    assert finding.path == name
    assert finding.start_ms is not None
    assert finding.end_ms is not None
    assert START_MS <= finding.start_ms < finding.end_ms <= START_MS + 3000
    assert finding.end_ms - finding.start_ms <= 1100


def test_missing_and_added_files_are_named(case: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(case) as file:
        file.extractall(tmp_path)
    gone = tmp_path / "front" / "20260921T141332Z-main.mkv"
    gone.unlink()
    (tmp_path / "README.txt").unlink()
    found = {(one.what, one.path) for one in check.verify(tmp_path).findings}
    assert found == {
        (What.MISSING, "front/20260921T141332Z-main.mkv"), (What.MISSING, "README.txt")
    }  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_changed_byte_is_found(case: Path, spoiled: Path, data: st.DataObject) -> None:
    whole = entries(case)
    # Of each file alike, as small ones would else hardly be met.
    place = data.draw(st.sampled_from([*whole.values(), None]))
    first, last = (place.offset, place.end) if place else (0, case.stat().st_size)
    at = data.draw(st.integers(first, last - 1))
    mask = data.draw(st.integers(1, 255))
    flip(spoiled, at, mask)
    try:
        verdict = check.verify(spoiled)
        assert not verdict.ok, at
        media = [e for e in whole.values() if e.name.endswith(".mkv")]
        for entry in media:
            if entry.data_at <= at < entry.end:
                named = [f for f in verdict.findings if f.path == entry.name]
                assert named, verdict.findings
                shows = named[0].start_ms is not None
                in_head = at < entry.data_at + 2000 or at > entry.end - 400
                assert shows or in_head, (named, at - entry.data_at, entry.size)
    finally:
        flip(spoiled, at, mask)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_cut_or_longer_case_is_found(case: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = case.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    extra = data.draw(st.binary(min_size=0 if at < len(whole) else 1, max_size=40))
    other = tmp_path / "other.zip"
    other.write_bytes(whole[:at] + extra + whole[at:] if extra else whole[:at])
    assert not check.verify(other).ok


def test_footage_encoded_anew_is_signed_but_not_tied_to_the_recording(burned: Path) -> None:
    done = run(burned)
    assert done.exit_code == 0, done.output
    assert "signed as exported, but not tied to the recording" in done.output
    name = next(name for name in entries(burned) if name.startswith("back/"))
    entry = entries(burned)[name]
    other = Path(shutil.copy(burned, burned.with_name("other.zip")))
    flip(other, entry.data_at + entry.size // 3)
    (finding,) = check.verify(other).findings
    assert (finding.what, finding.path) == (What.ALTERED, name)
    assert finding.start_ms is not None


def _zip(names: list[str], sizes: int = 1) -> bytes:
    made, data, at = [], b"", 0
    for name in names:
        entry = zip_layout.Entry(name, sizes, 0, at)
        data += zip_layout.local_header(entry) + bytes(sizes)
        at = entry.end
        made.append(entry)
    return data + zip_layout.ending(made, at)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not end as the ZIP of a case does"),
        (b"PK\x05\x06" + bytes(18), "manifest.json is missing"),
        (_zip(["../../etc/passwd"]), "which no case would use"),
        (_zip(["/etc/passwd"]), "which no case would use"),
        (_zip(["a\\b"]), "which no case would use"),
        (_zip(["front/a.mkv", "front/a.mkv"]), "is in it twice"),
        (_zip(["manifest.json"], 3), "not JSON"),
        (_zip(["manifest.json"], 17 << 20), "at most 16777216 are read"),
        (b"\x00" * 100 + _zip(["a"]), "not where it should be"),
    ],
)
def test_hostile_zips_are_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "hostile.zip"
    path.write_bytes(data)
    done = run(path)
    assert done.exit_code == 1
    assert says in done.output


def test_a_bomb_a_lying_size_and_a_million_files_cost_nothing(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", bytes(50 << 20))
    lying = tmp_path / "lying.zip"
    entry = zip_layout.Entry("manifest.json", 1 << 40, 0, 0)
    start = zip_layout.local_header(entry) + b"x"
    lying.write_bytes(start + zip_layout.ending([entry], len(start)))
    many = tmp_path / "many.zip"
    tail = zip_layout.END64.pack(0x06064B50, 44, 0, 45, 0, 0, 10**6, 10**6, 46 * 10**6, 0)
    tail += zip_layout.LOCATOR.pack(0x07064B50, 0, 46 * 10**6, 1)
    tail += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 65535, 65535, 46 * 10**6, 0, 0)
    with many.open("wb") as sparse:
        sparse.seek(46 * 10**6)
        sparse.write(tail)
    tracemalloc.start()
    try:
        for path, says in (
            (bomb, "compressed"), (lying, "larger than the ZIP"), (many, "1000000 files"),
        ):  # fmt: skip
            (finding,) = check.verify(path).findings
            assert says in finding.text
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_folder_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "front").symlink_to("/etc")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "no plain file" in done.output


def test_the_key_of_an_installation_stays(tmp_path: Path) -> None:
    said = [
        CliRunner().invoke(cli.app, ["evidence", "key", "--data-dir", str(tmp_path / "data")])
        for _ in range(2)
    ]
    assert said[0].exit_code == 0, said[0].output
    assert said[0].output == said[1].output
    assert len(said[0].output.split()[1]) == 64


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert run(tmp_path / "none.zip").exit_code == 1
