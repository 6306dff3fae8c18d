from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.bus.patterns import check_pattern, check_subject, matches
from vms.common.errors import InvalidIdentifier

word = st.text(alphabet="ab-_0Z", min_size=1, max_size=3)
subject = st.lists(word, min_size=1, max_size=5).map(".".join)


@st.composite
def patterns(draw: st.DrawFn) -> str:
    words = draw(st.lists(word | st.just("*"), min_size=0, max_size=5))
    if not words or draw(st.booleans()):
        words.append(">")
    return ".".join(words)


@given(patterns(), subject)
def test_a_pattern_takes_what_its_words_say(pattern: str, name: str) -> None:
    check_pattern(pattern)
    check_subject(name)
    parts = {"*": r"[^.]+", ">": r".+"}
    expression = r"\.".join(parts.get(w, re.escape(w)) for w in pattern.split("."))
    assert matches(pattern, name) == (re.fullmatch(expression, name) is not None)


@given(st.text(max_size=12) | subject)
def test_a_subject_is_a_pattern_for_itself(text: str) -> None:
    try:
        check_subject(text)
    except InvalidIdentifier:
        return
    assert check_pattern(text) == text
    assert matches(text, text)
    assert matches(">", text)


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("vms.media.>", "vms.media.front.main", True),
        ("vms.media.>", "vms.media", False),
        ("vms.media.*.main", "vms.media.front.main", True),
        ("vms.media.*", "vms.media.front.main", False),
        ("vms.media", "vms.media.front", False),
        (">", "a", True),
    ],
)
def test_examples(pattern: str, name: str, taken: bool) -> None:
    assert matches(pattern, name) is taken


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a.>.b", "a\n", "a b", "a*", "*>"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        check_pattern(text)
