"""How SOAP messages of systems in use depart from the standards and are read all the same; what is counted as what.

``docs/reference/tolerances.md`` is made of this table.
"""

from __future__ import annotations

from typing import Final

#: name of the counter → what the message does, and the section that says otherwise
TOLERANCES: Final[dict[str, tuple[str, str]]] = {
    "content_type": ("a SOAP 1.2 envelope comes as text/xml or application/xml", "SOAP 1.2 Part 2, 7.1.4"),
    "action_outside_envelope": ("the action stands in Content-Type or SOAPAction only", "ITI TF-2, V.3.2"),
    "no_message_id": ("there is no wsa:MessageID; the answer relates to the unspecified message", "ITI TF-2, V.3.2"),
    "no_reply_to": ("there is no wsa:ReplyTo: anonymous", "IHE-WSA102"),
    "async_action": ("an asynchronous request has Async appended to its action", "ITI TF-2, V.5"),
    "security_header": ("a wsse:Security header that is not looked at", "ITI TF-2, 3.40"),
    "blanks_in_address": ("white space around a WS-Addressing value", "WS-Addressing 1.0 SOAP Binding, 2"),
    "mtom_not_expected": ("a transaction of Simple SOAP comes as an MTOM package", "ITI TF-2, V.3"),
    "no_mtom": ("a transaction of MTOM comes as Simple SOAP", "ITI TF-2, V.3"),
    "line_feeds": ("lines of the package end with LF alone", "RFC 2046, 5.1.1"),
    "preamble": ("there is text before the first boundary", "RFC 2046, 5.1.1"),
    "start_without_brackets": ("the start parameter is a Content-ID without angle brackets", "RFC 2387, 3.2"),
    "root_content_type": ("the root part is not application/xop+xml", "XOP 1.0, 4.1"),
    "transfer_encoding": ("a part is base64 or quoted-printable", "ITI TF-2, V.8"),
    "part_not_included": ("a part that no xop:Include refers to; it is dropped", "XOP 1.0, 3.2"),
}
