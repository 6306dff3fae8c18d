"""Where the built web client lies."""

from pathlib import Path

WEB_DIR = Path(__file__).resolve().parents[3] / "web" / "dist"
