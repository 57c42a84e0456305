"""What a PIX Update Notification says (ITI-10, ITI TF-2 3.10), without a trace of HL7 v2."""

from __future__ import annotations

from dataclasses import dataclass

from xds.datatypes.hl7 import CX, HD, NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateNotification:
    """The identifiers that are one patient's now, as far as the consumer is interested in their domains.

    They replace whatever the consumer held for any of them. Several that resulted from one change (an unlink) come as
    several notifications.
    """

    identifiers: tuple[CX, ...]  # each with its authority in full; those of a domain stand together
    sending_application: HD = NOBODY  # MSH-3
    sending_facility: HD = NOBODY  # MSH-4
    receiving_application: HD = NOBODY  # MSH-5
    receiving_facility: HD = NOBODY  # MSH-6
    control_id: str = ""  # MSH-10
    message_time: str = ""  # MSH-7
    recorded_time: str = ""  # EVN-2

    def __post_init__(self) -> None:
        if not self.identifiers or not all(identifier.id for identifier in self.identifiers):
            raise ValueError("a notification names a patient: every identifier has an id")
