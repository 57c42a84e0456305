"""The transactions over HL7 v2, which the MLLP adapter finds by MSH-9."""

from __future__ import annotations

from typing import Final

from xds.transactions.base import Hl7v2Transaction
from xds.transactions.iti8 import ITI_8
from xds.transactions.iti9 import ITI_9
from xds.transactions.iti21 import CANCEL_QUERY, ITI_21
from xds.transactions.iti22 import ITI_22
from xds.transactions.iti30 import ITI_30
from xds.transactions.iti64 import ITI_64

HL7V2_TRANSACTIONS: Final[tuple[Hl7v2Transaction, ...]] = (ITI_8, ITI_9, ITI_21, CANCEL_QUERY, ITI_22, ITI_30, ITI_64)
