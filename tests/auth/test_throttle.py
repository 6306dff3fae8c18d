from __future__ import annotations

import pytest
from tests.support.api_server import ShiftedClock

from vms.auth.settings import AuthSettings
from vms.auth.throttle import Throttle, Throttled


def _waits(throttle: Throttle, clock: ShiftedClock, user: str, address: str, tries: int) -> float:
    """Seconds that so many wrong passwords take somebody who waits as told."""
    began = clock.ahead
    for _ in range(tries):
        try:
            throttle.begin(user, address)
        except Throttled as error:
            clock.ahead += error.retry_after
            throttle.begin(user, address)
    return clock.ahead - began


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def throttle(clock: ShiftedClock) -> Throttle:
    return Throttle(AuthSettings(), clock)


def test_some_mistakes_are_free_and_then_each_takes_longer(
    throttle: Throttle, clock: ShiftedClock
) -> None:
    assert _waits(throttle, clock, "anna", "10.0.0.1", 5) == 0
    assert _waits(throttle, clock, "anna", "10.0.0.1", 5) == 1 + 2 + 4 + 8 + 16
    assert _waits(throttle, clock, "anna", "10.0.0.1", 10) > 1500


def test_another_user_and_another_address_are_not_held_up(
    throttle: Throttle, clock: ShiftedClock
) -> None:
    _waits(throttle, clock, "anna", "10.0.0.1", 8)
    throttle.begin("anna", "10.0.0.2")
    throttle.begin("bob", "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.begin("ANNA", "10.0.0.1")


def test_trying_many_names_from_one_address_is_slowed(
    throttle: Throttle, clock: ShiftedClock
) -> None:
    for number in range(20):
        throttle.begin(f"user{number}", "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.begin("user21", "10.0.0.1")


def test_many_addresses_slow_a_user_but_lock_nobody_out(
    throttle: Throttle, clock: ShiftedClock
) -> None:
    longest = 0
    for number in range(60):
        try:
            throttle.begin("anna", f"10.0.0.{number}")
        except Throttled as error:
            longest = max(longest, error.retry_after)
            clock.ahead += error.retry_after
    assert 1 <= longest <= 15
    clock.ahead += 15
    throttle.begin("anna", "192.168.1.1")


def test_the_right_password_starts_anew(throttle: Throttle, clock: ShiftedClock) -> None:
    for _ in range(10):
        assert _waits(throttle, clock, "anna", "10.0.0.1", 5) == 0
        throttle.succeeded("anna", "10.0.0.1")
        # The count of the address stays, and loses one each minute.
        clock.ahead += 300


def test_counts_are_forgotten_after_an_hour(throttle: Throttle, clock: ShiftedClock) -> None:
    _waits(throttle, clock, "anna", "10.0.0.1", 12)
    clock.ahead += 3601
    assert _waits(throttle, clock, "anna", "10.0.0.1", 5) == 0


def test_a_flood_of_names_takes_bounded_memory(throttle: Throttle) -> None:
    for number in range(15_000):
        throttle.begin(f"user{number}", f"address{number}")
    assert len(throttle._counts) <= 10_000
