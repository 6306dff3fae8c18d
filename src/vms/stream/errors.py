"""Why a stream cannot be watched the way that was asked for."""

from __future__ import annotations

from vms.common.errors import VmsError


class NotPlayable(VmsError):
    """This viewer cannot play this stream this way; another way (MSE, sub stream) may do."""

    http_status = 406


class NoMedia(VmsError):
    """The stream gives no pictures now."""

    http_status = 503


class TooManyViewers(VmsError):
    """This server is full."""

    http_status = 503
