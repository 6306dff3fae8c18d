from __future__ import annotations

import pytest
from pydantic import ValidationError

from vms.bus.connect import open_bus
from vms.bus.memory import MemoryBus
from vms.bus.settings import BusSettings


async def test_the_default_is_the_memory_bus() -> None:
    assert isinstance(await open_bus(BusSettings()), MemoryBus)


def test_credentials_are_moved_out_of_the_address() -> None:
    settings = BusSettings(url="nats://user:hunter2@one:4222,nats://two:4222")
    assert settings.servers == ("nats://one:4222", "nats://two:4222")
    assert settings.username == "user"
    assert settings.password.reveal() == "hunter2"
    assert "hunter2" not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://host", "must start with one of"),
        ("unix://bus.sock", "absolute path"),
        ("nats://", "names no host"),
        ("", "must start with one of"),
    ],
)
def test_bad_addresses_say_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        BusSettings(url=url)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="adress"):
        BusSettings.model_validate({"adress": "memory://"})
