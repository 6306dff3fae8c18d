"""`vms simulate` as a person runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.simulator_decode import play
from typer.testing import CliRunner

from vms.simulator.cli import app

RUN = "import sys; from vms.simulator.cli import app; app(prog_name='vms simulate')"


def test_it_prints_addresses_and_ends_on_ctrl_c() -> None:
    options = "--cameras 2 --port 0 --size 320x180 --fps 10 --auth me:pw --audio pcmu --no-live"
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *options.split()], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            urls = [process.stdout.readline().strip() for _ in range(2)]
            assert "2 cameras" in process.stdout.readline()
            assert all(url.startswith("rtsp://me:pw@127.0.0.1:") for url in urls)
            played = play(urls[1], "tcp", 3)
            assert played.size == (320, 180)
            assert played.audio == "pcm_mulaw"
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "big"], "must be width x height"),
        (["--codec", "vp9"], "unknown codec 'vp9'"),
        (["--size", "321x180"], "must be even"),
        (["--audio", "mp3"], "unknown codec 'mp3'"),
        (["--port", "1", "--host", "203.0.113.1"], "cannot listen on 203.0.113.1:1"),
    ],
)
def test_mistakes_are_explained(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert message in result.output


def test_files_take_turns(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--file", str(tmp_path / "none.mp4"), "--port", "0"])
    assert result.exit_code == 2
    assert "none.mp4" in result.output
