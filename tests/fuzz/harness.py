"""Runs one target under atheris (libFuzzer): `python tests/fuzz/fuzz_rtsp.py -max_total_time=20`.

All options are those of libFuzzer. Seeds and what was found go to tests/fuzz/corpus, inputs
that crash to the working directory: put them into tests/format/test_fuzz.py as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main(target: str) -> None:
    """Fuzzes until told to stop."""
    sys.path.insert(0, str(ROOT))
    import atheris
    from tests.fuzz import seeds

    folder = seeds.write(target, ROOT / "tests" / "fuzz" / "corpus")
    # What made the seeds was not instrumented: it is imported anew.
    for name in [name for name in sys.modules if name.split(".")[0] == "vms"]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["vms.format"]):
        from tests.fuzz.targets import TARGETS
    bounds = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *bounds, *sys.argv[1:], str(folder)], TARGETS[target])
    atheris.Fuzz()
