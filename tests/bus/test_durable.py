from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vms.bus.durable import DurableLog


def take_all(log: DurableLog[int], name: str, now: float = 0.0) -> list[int]:
    group = log.group(name, ">")
    items = []
    while (taken := group.take(now)) is not None:
        items.append(taken[0].item)
        group.done(taken[0].number)
    return items


def test_a_new_group_starts_with_the_oldest_kept() -> None:
    log: DurableLog[int] = DurableLog("memory", max_entries=3)
    for item in range(5):
        log.append("a", item)
    assert take_all(log, "new") == [2, 3, 4]


def test_what_falls_out_before_a_group_took_it_is_counted() -> None:
    log: DurableLog[int] = DurableLog("memory", max_entries=3)
    group = log.group("slow", ">")
    for item in range(5):
        log.append("a", item)
    assert group.lost == 2
    assert take_all(log, "slow") == [2, 3, 4]


def test_bytes_are_bounded_as_well() -> None:
    log: DurableLog[int] = DurableLog("memory", max_bytes=100)
    for item in range(10):
        log.append("a", item, size=40)
    assert take_all(log, "new") == [8, 9]


def test_the_same_message_is_kept_once() -> None:
    log: DurableLog[int] = DurableLog("memory")
    assert log.append("a", 1, identity=b"x")
    assert not log.append("a", 1, identity=b"x")
    assert take_all(log, "group") == [1]


def test_failures_wait_longer_each_time_and_others_go_on() -> None:
    log: DurableLog[int] = DurableLog("memory")
    group = log.group("group", ">")
    log.append("a", 1)
    log.append("a", 2)
    waits = []
    now = 0.0
    for attempt in range(1, 11):
        taken = group.take(now)
        assert taken is not None
        assert (taken[0].item, taken[1]) == (1, attempt)
        group.failed(taken[0].number, now)
        due = group.next_due()
        assert due is not None
        waits.append(round(due - now, 3))
        if attempt == 1:
            assert take_all(log, "group", now) == [2]
        assert group.take(due - 0.01) is None
        now = due
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


@given(
    st.lists(st.sampled_from(["add", "take", "done", "failed", "back"]), max_size=80),
    st.integers(3, 50),
)
def test_every_message_is_taken_kept_or_counted(steps: list[str], bound: int) -> None:
    log: DurableLog[int] = DurableLog("memory", max_entries=bound)
    group = log.group("group", ">")
    now = 0.0
    added = 0
    working: list[int] = []
    finished: list[int] = []
    for step in steps:
        now += 1.0
        if step == "add":
            log.append("a", added)
            added += 1
        elif step == "take":
            taken = group.take(now)
            if taken is not None:
                working.append(taken[0].number)
        elif working:
            number = working.pop(0)
            if step == "done":
                group.done(number)
                finished.append(number)
            elif step == "failed":
                group.failed(number, now)
            else:
                group.give_back(number)
        assert len(set(finished)) == len(finished)
        assert len(group) + len(finished) + group.lost == added
        assert len(group) <= bound + len(working) + len(steps)
