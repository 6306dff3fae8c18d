"""What a camera's own events mean: from ONVIF notifications to kinds of events.

Sources: ONVIF Core Specification, "Message format" and annex "Capability list" of topics;
ONVIF Analytics Service Specification, annex A (cell motion, line and field detectors);
topic names of widespread cameras. What is not known here is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from vms.ingest.onvif_soap import find_all, text_of

_MOST_NOTICES = 200
_MOST_ITEMS = 32
_KINDS = (
    ("peopledetect", "person"),
    ("humandetect", "person"),
    ("humanshapedetect", "person"),
    ("facedetect", "face"),
    ("vehicledetect", "vehicle"),
    ("dogcatdetect", "animal"),
    ("petdetect", "animal"),
    ("packagedetect", "package"),
    ("visitor", "visitor"),
    ("linedetector", "line-crossed"),
    ("linecrossing", "line-crossed"),
    ("tptripwire", "line-crossed"),
    ("fielddetector", "intrusion"),
    ("intrusion", "intrusion"),
    ("tamper", "tamper"),
    ("globalscenechange", "tamper"),
    ("signalloss", "tamper"),
    ("digitalinput", "input"),
    ("logicalstate", "input"),
    ("detectedsound", "sound"),
    ("audiodetection", "sound"),
    ("motion", "motion"),
)
"""Parts of topics in lower case; the first that fits names the kind."""
_STATES = ("ismotion", "state", "logicalstate", "isinside", "issounddetected", "istamper", "active")
_TRUE = frozenset({"true", "1", "active", "on", "yes"})
_SOURCES = ("rule", "inputtoken", "source", "videosourceconfigurationtoken", "videosource")
_PLAIN = frozenset({"motion", "tamper"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Something lasts at a camera (`active`), is over, or happened at one moment (None).

    `key` tells apart what may last beside each other: two inputs, two lines.
    """

    kind: str
    key: str
    active: bool | None
    label: str = ""


def notices_of(answer: Element) -> list[Notice]:
    """Those of the notifications in an answer to PullMessages that are known, in order."""
    found = (
        _notice(message) for message in find_all(answer, "NotificationMessage")[:_MOST_NOTICES]
    )
    return [notice for notice in found if notice is not None]


def _notice(message: Element) -> Notice | None:
    topic = text_of(message, "Topic").lower()
    kind = next((kind for part, kind in _KINDS if part in topic), "")
    body = next(iter(find_all(message, "Message")[-1:]), None)
    if not kind or body is None:
        return None
    operation = body.get("PropertyOperation", "").lower()
    source, data = _items(body, "Source"), _items(body, "Data")
    said = next((data[name] for name in _STATES if name in data), None)
    active = None if said is None else said.lower() in _TRUE
    if operation == "deleted":
        active = False
    elif active is None and operation:
        # A property whose state cannot be read says nothing that can be relied on.
        return None
    where = next((source[name] for name in _SOURCES if source.get(name)), "")
    return Notice(kind, f"{topic}|{'|'.join(sorted(source.values()))}"[:400], active,
                  "" if kind in _PLAIN else where[:80])  # fmt: skip


def _items(body: Element, part: str) -> dict[str, str]:
    """The simple items below `part`, by name in lower case."""
    return {
        item.get("Name", "").lower()[:80]: item.get("Value", "")[:200]
        for outer in find_all(body, part)[:4]
        for item in find_all(outer, "SimpleItem")[:_MOST_ITEMS]
    }
