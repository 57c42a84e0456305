"""The Patient Identifier Cross-reference Manager (ITI TF-1, 5)."""

from xds.pix.feed import AppliedFeed
from xds.pix.history import HistoryEntry, NotUndoable
from xds.pix.manager import PatientIdentifierCrossReferenceManager
from xds.pix.outbox import DueNotification, Outbox
from xds.pix.policy import Consumer, Policy

__all__ = [
    "AppliedFeed",
    "Consumer",
    "DueNotification",
    "HistoryEntry",
    "NotUndoable",
    "Outbox",
    "PatientIdentifierCrossReferenceManager",
    "Policy",
]
