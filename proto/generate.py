"""Writes the Python code of the .proto files: `python proto/generate.py [target folder]`."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TARGET = ROOT.parent / "src/vms/proto/gen/v1"
PACKAGE = "vms.proto.gen.v1"


def generate(target: Path) -> list[Path]:
    """Write modules and stubs to `target`; they import each other as `PACKAGE`.

    The compiler names imports after the .proto folders (`vms.v1`), which would collide with
    the package `vms` itself, so they are rewritten.
    """
    names = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("vms/v1/*.proto"))
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    written = []
    with tempfile.TemporaryDirectory() as folder:
        flags = [f"-I{ROOT}", f"--python_out={folder}", f"--mypy_out=quiet:{folder}"]
        subprocess.run(  # noqa: S603 - the arguments are our own
            [sys.executable, "-m", "grpc_tools.protoc", *flags, *names],
            check=True,
            env={**os.environ, "PATH": scripts},
            timeout=60,
        )
        for path in sorted(Path(folder, "vms/v1").iterdir()):
            text = path.read_text().replace("from vms.v1 import", f"from {PACKAGE} import")
            written.append(target / path.name)
            written[-1].write_text(text)
    return written


if __name__ == "__main__":
    for made in generate(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET):
        print(made)
