"""The form of single values in metadata (ITI TF-3, tables 4.2.3.1.7-2 and 4.3.1-1 to -3).

Each function says what is wrong with a value, or None. They run on every submission: a precompiled expression each.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xds.datatypes.hl7 import xcn_problem, xon_problem, xtn_problem
from xds.datatypes.ids import is_oid
from xds.datatypes.time import dtm_number

Check = Callable[[str], str | None]

_match_hash = re.compile(r"[0-9A-Fa-f]{40}").fullmatch
_match_size = re.compile(r"[0-9]{1,19}").fullmatch
_match_language = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*").fullmatch
_RESTRICTED_NAME = r"[A-Za-z0-9!#$&^_.+-]+"
_match_mime = re.compile(rf"{_RESTRICTED_NAME}/{_RESTRICTED_NAME}(?:\s*;.*)?").fullmatch
_match_pid = re.compile(r"PID-[0-9]{1,2}\|").match
_match_urn = re.compile(r"[Uu][Rr][Nn]:\S+").fullmatch

_AVAILABILITIES = ("urn:ihe:iti:2010:DocumentAvailability:Online", "urn:ihe:iti:2010:DocumentAvailability:Offline")


def dtm(text: str) -> str | None:
    return None if dtm_number(text) is not None else "is not a date of the form YYYY[MM[DD[hh[mm[ss]]]]]"


def sha1(text: str) -> str | None:
    return None if _match_hash(text) else "is not a SHA-1 hash of 40 hexadecimal digits"


def size(text: str) -> str | None:
    return None if _match_size(text) else "is not a number of bytes"


def language(text: str) -> str | None:
    return None if _match_language(text) else "is not a language tag (RFC 5646)"


def oid(text: str) -> str | None:
    return None if is_oid(text) else "is not an OID of at most 64 characters"


def mime_type(text: str) -> str | None:
    return None if _match_mime(text) else "is not a MIME type (type/subtype)"


def unique_id(text: str) -> str | None:
    # opaque to everybody but its creator: an OID, root^extension, a UUID, a URI, …
    return "is blank or has control characters" if text.isspace() or not text.isprintable() else None


def availability(text: str) -> str | None:
    return None if text in _AVAILABILITIES else "is neither Online nor Offline"


def submission_set_status(text: str) -> str | None:
    return None if text in ("Original", "Reference") else "is neither Original nor Reference"


def yes_or_no(text: str) -> str | None:
    return None if text in ("yes", "no") else "is neither yes nor no"


def source_patient_info(text: str) -> str | None:
    return None if _match_pid(text) else "does not begin with a field of the PID segment, PID-n|"


def intended_recipient(text: str) -> str | None:
    """XON|XCN|XTN, at least one of them (ITI TF-3, 4.2.3.3.7)."""
    parts = text.split("|")
    if len(parts) > 3 or not any(parts):
        return "is not of the form organization|person|telecommunication"
    for part, check in zip(parts, (xon_problem, xcn_problem, xtn_problem), strict=False):
        if part and (problem := check(part)):
            return f"has a part that {problem}"
    return None


def is_urn(name: str) -> bool:
    """Whether ``name`` looks like a URN, as the name of an extra Slot must (ITI TF-3, 4.2.3.1.6).

    RFC 8141 wants a namespace after ``urn:``; the NIST toolkit sends ``urn:att`` and expects to see it again.
    """
    return _match_urn(name) is not None
