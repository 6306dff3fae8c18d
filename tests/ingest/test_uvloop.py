"""The event loop of production: its transports are not asyncio's."""

from __future__ import annotations

from pathlib import Path

import uvloop
from tests.support.ingest_rig import SMALL, camera, ingesting, sent_number
from tests.support.ingest_tls import self_signed

from vms.common.model.camera import StreamStatus, Transport
from vms.common.model.media import Codec
from vms.simulator.server import Simulator


def test_tcp_udp_and_tls(tmp_path: Path) -> None:
    async def work() -> None:
        context, _, _ = self_signed(tmp_path)
        async with Simulator() as plain, Simulator(tls=context) as safe:
            for simulator in (plain, safe):
                simulator.add_camera("door", SMALL, "admin", "secret", audio=Codec.AAC)
            cameras = [
                camera(name, url, transport, "admin", "secret")
                for name, url, transport in (
                    ("tcp", plain.url("door"), Transport.TCP),
                    ("udp", plain.url("door"), Transport.UDP),
                    ("tls", safe.url("door"), Transport.TCP),
                )
            ]
            async with ingesting(*cameras) as rig:
                for each in cameras:
                    numbers = [sent_number(unit) for unit in await rig.units_of(each.id, 20)]
                    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
                plain.drop_connections()
                await rig.status("tcp", StreamStatus.OFFLINE)
                await rig.status("tcp", StreamStatus.ONLINE)
                probed = await rig.command(
                    "probe", url=safe.url("door"), username="admin", password="secret"
                )
                assert len(probed.body["tls_fingerprint"]) == 64

    uvloop.run(work())
