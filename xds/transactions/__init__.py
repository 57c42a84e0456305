"""The IHE transactions of this library, one module each: decode → actor → encode.

``TRANSACTIONS`` are those over SOAP, found by their action. Those over HL7 v2 are in ``xds.transactions.hl7v2``.
"""

from __future__ import annotations

from typing import Final

from xds.transactions.base import Transaction
from xds.transactions.iti18 import ITI_18
from xds.transactions.iti41 import ITI_41
from xds.transactions.iti42 import ITI_42
from xds.transactions.iti43 import ITI_43

TRANSACTIONS: Final[tuple[Transaction, ...]] = (ITI_18, ITI_41, ITI_42, ITI_43)

__all__ = ["TRANSACTIONS"]
