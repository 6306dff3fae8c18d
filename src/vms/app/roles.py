"""The roles of the system: one table, name to builder."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence

from vms.app.node import Node, Service
from vms.app.settings import Settings
from vms.common.errors import ConfigError
from vms.ingest import service as ingest
from vms.storage import routes as storage_routes
from vms.storage import service as storage
from vms.stream import routes as stream_routes
from vms.stream.service import StreamService

Builder = Callable[[Node], Awaitable[Service]]
