"""HL7 v2 messages with documents in them become submissions: MDM and ORU to ITI-41.

What an interface engine does by hand-written script elsewhere is a mapping file here (``mapping``): which code a
document type of the hospital is in the affinity domain, what is constant for a sender. A message is answered AA when
its document is registered and on disk, and with AE or AR and the reason otherwise; sent again, it is answered again and
registered once.
"""

from __future__ import annotations

from xds.bridge.convert import Bridge
from xds.bridge.mapping import Mapping, MappingError
from xds.bridge.targets import LocalTarget, RemoteTarget
from xds.bridge.transactions import bridge_transactions

__all__ = ["Bridge", "LocalTarget", "Mapping", "MappingError", "RemoteTarget", "bridge_transactions"]
