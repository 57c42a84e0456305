"""What is agreed with each sender of HL7 v2 messages: found by MSH-3 and MSH-4 (ITI TF-2 3.8.4.1.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Literal

from xds.datatypes.hl7 import HD
from xds.hl7v2.ack import Mode
from xds.hl7v2.times import zone
from xds.vocab.hl7 import codec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One sender, and how its messages are read. The defaults take what systems in the field send.

    ``application`` and ``facility`` are compared with the first component of MSH-3 and MSH-4; None is any.
    """

    application: str | None = None
    facility: str | None = None
    # MSH-18 is empty or says ASCII and the bytes are not: these are tried in turn. Names of table 0211 or of codecs
    default_charsets: tuple[str, ...] = ("utf-8", "latin-1")
    # bytes that are not in the declared set: refuse with 102, or read as U+FFFD and go on
    undecodable: Literal["reject", "replace"] = "reject"
    # messages are held against the structure and data types of their version (takes tens of milliseconds each)
    strict: bool = False
    # triggers of ADT that no transaction answers: acknowledge without effect, or AR 201
    unknown_triggers: Literal["accept", "reject"] = "accept"
    acknowledgement: Mode = "auto"
    # fills PID-3.4 and MRG-1.4 where the sender leaves them out (ITI TF-2 3.8.4.1.3)
    assigning_authority: HD | None = None
    # the zone of times that do not say one: IANA name or offset
    time_zone: str = "UTC"
    zone: tzinfo = field(init=False, default=UTC)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", zone(self.time_zone))
        codecs = tuple(codec_of(name) or name for name in self.default_charsets)
        for codec in codecs:
            "".encode(codec)  # LookupError for a name that is no codec
        object.__setattr__(self, "default_charsets", codecs)


class Feeds:
    """The configured senders, and what holds for everybody else. The first that matches decides."""

    def __init__(self, feeds: Sequence[Feed] = (), *, default: Feed | None = None) -> None:
        self._feeds = tuple(feeds)
        self.default = default or Feed()

    def of(self, application: str, facility: str) -> Feed:
        """The feed for the first components of MSH-3 and MSH-4."""
        for feed in self._feeds:
            if feed.application in (None, application) and feed.facility in (None, facility):
                return feed
        return self.default

    def of_bytes(self, data: bytes) -> Feed:
        """The feed of a message that is not decoded yet; its names in MSH must be ASCII to be found."""
        if not self._feeds:
            return self.default
        start = max(data.find(b"MSH"), 0)
        fields = data[start : start + 2048].split(data[start + 3 : start + 4] or b"|", 4)
        if len(fields) < 4:
            return self.default
        component = fields[1][:1] or b"^"
        application, facility = (f.partition(component)[0].decode("ascii", "replace") for f in fields[2:4])
        return self.of(application, facility)
