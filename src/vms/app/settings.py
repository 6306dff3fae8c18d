"""The whole tree of settings, put together from the parts that the rooms define."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from vms.api.settings import ApiSettings
from vms.auth.settings import AuthSettings
from vms.bus.settings import BusSettings
from vms.common import environment
from vms.common.config import Section, SettingsTree, load_settings
from vms.ingest.settings import IngestSettings
from vms.storage.settings import StorageSettings
from vms.stream.settings import StreamSettings

DEFAULT_FILE = Path("vms.toml")


class HttpSettings(Section):
    """Where the web client and the API are served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    head_seconds: float = Field(default=10.0, gt=0)
    """How long a connection may take to send the head of a request."""
    connections: int = Field(default=4096, ge=8)
    """Most clients at once; also at most half of the files that the process may open."""


class LogSettings(Section):
    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    json_lines: bool | None = None
    """None: JSON where standard error is not a terminal."""


class CatalogSettings(Section):
    url: str = ""
    """`sqlite:///path` or `postgresql://...`; empty: `vms.db` in the data directory."""


class DemoSettings(Section):
    enabled: bool = True
    """Start four simulated cameras where no camera was ever configured."""


class Settings(SettingsTree):
    data_dir: Path = Path("data")
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    catalog: CatalogSettings = CatalogSettings()
    bus: BusSettings = BusSettings()
    auth: AuthSettings = AuthSettings()
    api: ApiSettings = ApiSettings()
    ingest: IngestSettings = IngestSettings()
    storage: StorageSettings = StorageSettings()
    stream: StreamSettings = StreamSettings()
    demo: DemoSettings = DemoSettings()

    @property
    def catalog_url(self) -> str:
        return self.catalog.url or f"sqlite:///{self.data_dir / 'vms.db'}"

    @property
    def storage_root(self) -> Path:
        return self.storage.root or self.data_dir / "recordings"


def read_settings(
    file: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Settings:
    """All settings. `file` None: `$VMS_CONFIG`, else `vms.toml` here if there is one."""
    if file is None:
        named = environ.get(environment.FILE_NAME)
        file = Path(named) if named else DEFAULT_FILE if DEFAULT_FILE.exists() else None
    return load_settings(Settings, file, flags, environ)
