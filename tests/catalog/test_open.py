"""Opening: files and modes, keys, versions, other processes, and what is said when it fails."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from tests.support.catalog_open import HOUR, camera, opened, segment

from vms.catalog.database import connect
from vms.catalog.migrate import configuration, migrate, newest
from vms.catalog.open import SqlCatalog, open_catalog
from vms.catalog.tables import metadata
from vms.common.errors import CatalogError, ConfigError


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_the_tables_of_the_code(catalog_url: str) -> None:
    database = connect(catalog_url)
    await migrate(database)
    await migrate(database)
    async with database.write() as connection:
        assert await connection.run_sync(_differences) == []
        await connection.run_sync(
            lambda sync: command.downgrade(configuration(sync), "base"),
        )
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert left == ["alembic_version"]
    await migrate(database)
    await database.close()


_OLD = (
    "INSERT INTO cameras VALUES ('front', 'Front', :yes, '', '')",
    "INSERT INTO streams VALUES ('front', 'main', 0, 'rtsp://a/', 'tcp', 'continuous')",
    "INSERT INTO segments VALUES ('s', 'front', 'main', 'r', 'p.mkv', 1, 2, 3, 4, 5, 'h264', 6, 7,"
    " :yes)",
)


async def test_the_newest_revision_is_told_by_the_names_of_the_scripts(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'vms.db'}")
    async with database.write() as connection:
        config = await connection.run_sync(configuration)
    await database.close()
    assert ScriptDirectory.from_config(config).get_current_head() == newest()


async def test_rows_of_the_version_before_are_kept_there_and_back(catalog_url: str) -> None:
    database = connect(catalog_url)
    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(configuration(sync), "0001"))
        for statement in _OLD:
            values = {"yes": True} if ":yes" in statement else {}
            await connection.execute(text(statement), values)
    await migrate(database)
    async with database.write() as connection:
        segments = (await connection.execute(text("SELECT * FROM segments"))).mappings().all()
        assert [(s["path"], s["size"], s["volume"], s["mode"]) for s in segments] == [
            ("p.mkv", 3, "main", "continuous")
        ]
        streams = (await connection.execute(text("SELECT * FROM streams"))).mappings().all()
        assert [(s["url"], bool(s["audio"]), s["pre_roll_s"]) for s in streams] == [
            ("rtsp://a/", True, 5)
        ]
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), "0001"))
        for table in ("cameras", "streams", "segments"):
            count = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
            assert count == 1
    await database.close()


async def test_several_may_open_it_for_the_first_time_at_once(
    catalog_url: str, tmp_path: Path
) -> None:
    catalogs = await asyncio.gather(*(open_catalog(catalog_url, tmp_path) for _ in range(4)))
    await catalogs[0].cameras.add(camera())
    assert await catalogs[3].cameras.get("front") == camera()
    for each in catalogs:
        await each.close()


async def test_a_catalog_of_a_newer_version_is_left_alone(catalog_url: str, tmp_path: Path) -> None:
    async with opened(catalog_url, tmp_path):
        pass
    database = connect(catalog_url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CatalogError, match=r"newer version.*9999"):
        await open_catalog(catalog_url, tmp_path)
    await database.close()


def _content(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


async def test_camera_passwords_are_sealed_at_rest(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        await catalog.cameras.add(camera(password="open-sesame"))
        everything = _content(tmp_path)
        assert b"10.0.0.1/main" in everything
        assert b"open-sesame" not in everything


async def test_a_sealed_password_moved_to_another_camera_does_not_open(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        await catalog.cameras.add(camera("door"))
        await catalog.cameras.add(camera("yard", password="other"))
    with sqlite3.connect(tmp_path / "vms.db") as database:
        database.execute(
            "UPDATE cameras SET password = (SELECT password FROM cameras WHERE id = 'yard')"
        )
    database.close()
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        with pytest.raises(CatalogError, match="camera door"):
            await catalog.cameras.get("door")


async def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with opened(f"sqlite:///{data}/vms.db", data):
        for name in ("vms.db", "vms.db-wal", "secret.key"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


async def test_the_key_lies_in_the_data_directory(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/a/vms.db", tmp_path / "b"):
        assert (tmp_path / "b" / "secret.key").exists()
        assert not (tmp_path / "a" / "secret.key").exists()


async def test_another_key_is_noticed_at_once(catalog_url: str, tmp_path: Path) -> None:
    async with opened(catalog_url, tmp_path / "one"):
        pass
    async with opened(f"sqlite:///{tmp_path}/other.db", tmp_path / "two"):
        pass
    with pytest.raises(ConfigError, match=r"two/secret\.key is not the one"):
        await open_catalog(catalog_url, tmp_path / "two")


async def test_a_missing_key_is_named_and_no_other_made(catalog_url: str, tmp_path: Path) -> None:
    async with opened(catalog_url, tmp_path / "one"):
        pass
    with pytest.raises(ConfigError, match=r"two/secret\.key is missing"):
        await open_catalog(catalog_url, tmp_path / "two")
    assert not (tmp_path / "two" / "secret.key").exists()


@pytest.mark.parametrize("content", ["", "not base64!", "c2hvcnQ=", "\xff\xfe"])
async def test_a_broken_key_file_is_named(tmp_path: Path, content: str) -> None:
    key = tmp_path / "secret.key"
    key.touch(0o600)
    key.write_text(content, "latin-1")
    with pytest.raises(ConfigError, match=r"secret\.key"):
        await open_catalog(f"sqlite:///{tmp_path}/vms.db")


async def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path):
        pass
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        await open_catalog(f"sqlite:///{tmp_path}/vms.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root:hunter2@db/vms", "use sqlite or postgresql"),
        ("sqlite://", "must name a file"),
        ("vms.db", "must look like"),
        ("postgresql://vms:hunter2@db:port/vms", "must look like"),
    ],
)
async def test_a_bad_url_says_what_a_good_one_is(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        await open_catalog(url)
    assert "hunter2" not in str(raised.value)


async def test_postgresql_without_a_data_directory_is_an_error() -> None:
    with pytest.raises(ConfigError, match="data directory"):
        await open_catalog("postgresql://vms@127.0.0.1/vms")


async def test_a_database_that_is_not_there_is_named_without_its_password(
    tmp_path: Path,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://vms:hunter2@127.0.0.1:{unused.getsockname()[1]}/vms"
        with pytest.raises(CatalogError, match=r"127\.0\.0\.1") as raised:
            await open_catalog(url, tmp_path)
    assert "hunter2" not in str(raised.value)


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "vms.db").write_bytes(b"certainly not a database" * 100)
    with pytest.raises(CatalogError, match=r"vms\.db.*not a database"):
        await open_catalog(f"sqlite:///{tmp_path}/vms.db")


_ROOT = str(Path(__file__).resolve().parents[2])
_WRITER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from dataclasses import replace
from pathlib import Path
from tests.support.catalog_open import opened, segment
async def main():
    async with opened(sys.argv[1], Path(sys.argv[3])) as catalog:
        row = segment(1, 'other', closed=False, duration_ns=1)
        await catalog.segments.add(row)
        for n in range(60):
            await catalog.segments.extend_many([replace(row, end_ns=n + 2)])
asyncio.run(main())
"""


async def test_two_processes_write_at_once_and_neither_finds_it_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/vms.db"
    async with opened(url, tmp_path) as catalog:
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITER, url, _ROOT, str(tmp_path)
        )
        row = segment(1, duration_ns=1)
        await catalog.segments.add(row)
        turns = 0
        while other.returncode is None or turns < 30:
            await catalog.segments.extend_many([row])
            await catalog.segments.open_segments()
            turns += 1
        assert await other.wait() == 0
        assert (await catalog.segments.get("other-main-1")).end_ns == 61


async def test_searches_walk_an_index_and_not_the_table(
    catalog: SqlCatalog, catalog_url: str
) -> None:
    rows = [
        segment(n, f"cam{c}", s, start_ns=n * HOUR)
        for c in range(5)
        for s in ("main", "sub")
        for n in range(400)
    ]
    await catalog.segments.add_many(rows)
    database = connect(catalog_url)
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    near = "camera = 'cam1' AND start_ns > 100 AND start_ns < 200"
    async with database.write() as connection:
        await connection.execute(text("ANALYZE segments"))
        for where in (
            near,
            near + " AND stream = 'main'",
            "closed IS " + ("0" if database.dialect == "sqlite" else "false"),
        ):
            query = text(f"{explain}SELECT * FROM segments WHERE {where}")
            plan = "\n".join(str(line) for line in await connection.execute(query))
            assert "ix_segments_" in plan, plan
    await database.close()
