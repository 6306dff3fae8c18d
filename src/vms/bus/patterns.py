"""Subjects and patterns: which subject a pattern takes."""

from __future__ import annotations

import re

from vms.common.errors import InvalidIdentifier

_WORD = r"[A-Za-z0-9_-]+"
_SUBJECT = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_PATTERN = re.compile(rf"(?:>|(?:{_WORD}|\*)(?:\.(?:{_WORD}|\*))*(?:\.>)?)")
MAX_LENGTH = 255


def check_subject(subject: str) -> str:
    """Return `subject` if it is words of letters, digits, '_' and '-' joined by dots.

    Raises InvalidIdentifier.
    """
    if len(subject) > MAX_LENGTH or not _SUBJECT.fullmatch(subject):
        raise InvalidIdentifier(
            f"bus subject {subject[:60]!r} must be words of letters, digits, '_' and '-' "
            f"joined by dots, {MAX_LENGTH} characters at most"
        )
    return subject


def check_pattern(pattern: str) -> str:
    """Return `pattern` if it is a subject that may hold `*` words and end in `>`.

    Raises InvalidIdentifier.
    """
    if len(pattern) > MAX_LENGTH or not _PATTERN.fullmatch(pattern):
        raise InvalidIdentifier(
            f"bus pattern {pattern[:60]!r} must be a subject in which a word may be '*' "
            "and the last one '>'"
        )
    return pattern


def matches(pattern: str, subject: str) -> bool:
    """Whether `pattern` takes `subject`: `*` is one word, a last `>` one or more."""
    wanted = pattern.split(".")
    words = subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    return len(words) == len(wanted) and all(
        want in ("*", word) for want, word in zip(wanted, words, strict=True)
    )
