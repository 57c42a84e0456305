"""HL7 v2 tables that the PIX and PDQ transactions use: 0008, 0155, 0211, 0357 and the triggers of the PIX family."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class AckCode(StrEnum):
    """MSA-1, table 0008 (ITI TF-2 C.2.3.1)."""

    AA = "AA"  # application accept
    AE = "AE"  # application error: the content is wrong, do not send it again uncorrected
    AR = "AR"  # application reject: unless a value in MSH is the cause, it may be sent again later
    CA = "CA"  # the same three of a commit acknowledgement, enhanced mode
    CE = "CE"
    CR = "CR"

    @property
    def commit(self) -> AckCode:
        """The code of the same outcome in a commit acknowledgement."""
        return _COMMIT[self]


_COMMIT: Final = {
    AckCode.AA: AckCode.CA,
    AckCode.AE: AckCode.CE,
    AckCode.AR: AckCode.CR,
    AckCode.CA: AckCode.CA,
    AckCode.CE: AckCode.CE,
    AckCode.CR: AckCode.CR,
}


class AckCondition(StrEnum):
    """MSH-15 and MSH-16, table 0155: when the sender wants an acknowledgement."""

    ALWAYS = "AL"
    NEVER = "NE"
    ERROR = "ER"  # only on error or reject
    SUCCESS = "SU"  # only on success


class Hl7ErrorCode(StrEnum):
    """ERR-3, table 0357 (ITI TF-2 C.2.3.2)."""

    MESSAGE_ACCEPTED = "0"
    SEGMENT_SEQUENCE_ERROR = "100"
    REQUIRED_FIELD_MISSING = "101"
    DATA_TYPE_ERROR = "102"
    TABLE_VALUE_NOT_FOUND = "103"
    VALUE_TOO_LONG = "104"
    UNSUPPORTED_MESSAGE_TYPE = "200"
    UNSUPPORTED_EVENT_CODE = "201"
    UNSUPPORTED_PROCESSING_ID = "202"
    UNSUPPORTED_VERSION_ID = "203"
    UNKNOWN_KEY_IDENTIFIER = "204"
    DUPLICATE_KEY_IDENTIFIER = "205"
    APPLICATION_RECORD_LOCKED = "206"
    APPLICATION_INTERNAL_ERROR = "207"

    @property
    def text(self) -> str:
        """ERR-3.2."""
        return _ERRORS[self][0]

    @property
    def ack_code(self) -> AckCode:
        """MSA-1 that goes with the code: AE when the content is wrong, AR when the header or the receiver is."""
        return _ERRORS[self][1]


_ERRORS: Final = {
    Hl7ErrorCode.MESSAGE_ACCEPTED: ("Message accepted", AckCode.AA),
    Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR: ("Segment sequence error", AckCode.AE),
    Hl7ErrorCode.REQUIRED_FIELD_MISSING: ("Required field missing", AckCode.AE),
    Hl7ErrorCode.DATA_TYPE_ERROR: ("Data type error", AckCode.AE),
    Hl7ErrorCode.TABLE_VALUE_NOT_FOUND: ("Table value not found", AckCode.AE),
    Hl7ErrorCode.VALUE_TOO_LONG: ("Value too long", AckCode.AE),
    Hl7ErrorCode.UNSUPPORTED_MESSAGE_TYPE: ("Unsupported message type", AckCode.AR),
    Hl7ErrorCode.UNSUPPORTED_EVENT_CODE: ("Unsupported event code", AckCode.AR),
    Hl7ErrorCode.UNSUPPORTED_PROCESSING_ID: ("Unsupported processing id", AckCode.AR),
    Hl7ErrorCode.UNSUPPORTED_VERSION_ID: ("Unsupported version id", AckCode.AR),
    Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER: ("Unknown Key Identifier", AckCode.AE),
    Hl7ErrorCode.DUPLICATE_KEY_IDENTIFIER: ("Duplicate key identifier", AckCode.AE),
    # the sender may try again later
    Hl7ErrorCode.APPLICATION_RECORD_LOCKED: ("Application record locked", AckCode.AR),
    # a bug of ours does not go away by sending again: AE; who knows better (a full store) says AR itself
    Hl7ErrorCode.APPLICATION_INTERNAL_ERROR: ("Application internal error", AckCode.AE),
}


# MSH-18, table 0211: the value, and the Python codec that reads it. Where a wider codec decodes everything that the
# named one does to the same characters (cp949 for EUC-KR) it is taken: senders use the additions.
CHARSETS: Final[dict[str, str]] = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "cp949",
    "BIG-5": "big5",
    "UNICODE": "utf-8",  # obsolete and bare: UTF-8 in practice
    "UNICODE UTF-8": "utf-8",
}

# Seen in the field and not in the table: read, never written. Compared without case, blanks, '-', '_', '/', '.'
CHARSET_ALIASES: Final[dict[str, str]] = {
    "UTF8": "utf-8",
    "UNICODEUTF8": "utf-8",
    "ISOIR192": "utf-8",
    "USASCII": "ascii",
    "ISOIR100": "iso8859-1",
    "LATIN1": "iso8859-1",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "WINDOWS1250": "cp1250",
    "WINDOWS1251": "cp1251",
    "GB18030": "gb18030",
    "GB180302005": "gb18030",
    "GB180302022": "gb18030",
    "GBK": "gb18030",  # a subset
    "GB2312": "gb18030",  # a subset
    "CP936": "gb18030",
    "MS936": "gb18030",
    "BIG5": "big5",
    "BIG5HKSCS": "big5hkscs",
    "EUCKR": "cp949",
    "KSC5601": "cp949",
    "SHIFTJIS": "cp932",
    "SJIS": "cp932",
    **{f"{prefix}8859{n}": f"iso8859-{n}" for prefix in ("ISO", "") for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}

# Cannot travel over MLLP, their code units contain the frame bytes; or Python has no codec for them
UNUSABLE_CHARSETS: Final = frozenset({"UNICODE UTF-16", "UNICODE UTF-32", "CNS 11643-1992"})

_FOLD: Final = str.maketrans("", "", " -_/.")
_KNOWN: Final = CHARSET_ALIASES | {name.translate(_FOLD): codec for name, codec in CHARSETS.items()}
_NAMES: Final = {codec: name for name, codec in reversed(CHARSETS.items())} | {"utf-8": "UNICODE UTF-8"}


def codec_of(charset: str) -> str | None:
    """The Python codec for a value of MSH-18 (table 0211 or a usual alias); None when it is not known or unusable."""
    return CHARSETS.get(charset) or _KNOWN.get(charset.upper().translate(_FOLD))


def charset_of(codec: str) -> str | None:
    """The value of MSH-18 that announces what a Python codec writes; None when the table has none."""
    return _NAMES.get(codec)


class FeedEvent(StrEnum):
    """What an ADT message of the PIX family says happened; the value is its trigger event (MSH-9.2).

    ITI-8 (ITI TF-2 3.8.4) knows A01, A04, A05, A08 and A40; ITI-30 (3.30.4) A28, A31, A47, A40, A24 and A37; ITI-64
    (3.64) A43. A18, A34 and A36 are how systems older than HL7 2.3.1 merge.
    """

    ADMIT = "A01"
    REGISTER = "A04"
    PREADMIT = "A05"
    UPDATE = "A08"
    CREATE = "A28"
    UPDATE_PERSON = "A31"
    MERGE = "A40"
    MERGE_INFORMATION = "A18"
    MERGE_IDENTIFIER = "A34"
    MERGE_IDENTIFIER_AND_ACCOUNT = "A36"
    CHANGE_IDENTIFIER = "A47"
    LINK = "A24"
    UNLINK = "A37"
    CHANGE_XAD_PID = "A43"

    @property
    def creates(self) -> bool:
        """A new identity is announced; one that exists is updated (ITI TF-2 3.8.4.1)."""
        return self in _CREATING

    @property
    def updates(self) -> bool:
        """The demographics are replaced; an unknown identity is created (ITI TF-2 3.30.6.3.4)."""
        return self in _UPDATING

    @property
    def merges(self) -> bool:
        """MRG-1 ends, PID-3 survives (ITI TF-2 3.8.4.2)."""
        return self in _MERGING

    @property
    def has_prior(self) -> bool:
        """The message has MRG: a merge, a changed identifier, a changed XAD-PID link."""
        return self in _WITH_PRIOR

    @property
    def links(self) -> bool:
        """Two lists of identifiers, of one person from now on or no longer (ITI TF-2 3.30.6.6, 3.30.6.7)."""
        return self in _LINKING


_CREATING: Final = frozenset({FeedEvent.ADMIT, FeedEvent.REGISTER, FeedEvent.PREADMIT, FeedEvent.CREATE})
_UPDATING: Final = frozenset({FeedEvent.UPDATE, FeedEvent.UPDATE_PERSON})
_MERGING: Final = frozenset(
    {
        FeedEvent.MERGE,
        FeedEvent.MERGE_INFORMATION,
        FeedEvent.MERGE_IDENTIFIER,
        FeedEvent.MERGE_IDENTIFIER_AND_ACCOUNT,
    }
)
_WITH_PRIOR: Final = _MERGING | {FeedEvent.CHANGE_IDENTIFIER, FeedEvent.CHANGE_XAD_PID}
_LINKING: Final = frozenset({FeedEvent.LINK, FeedEvent.UNLINK})

# MSH-9.3 of each trigger as we send it (ITI TF-2 3.8.4.1.2.1, 3.8.4.2.2.1, 3.30.4); when reading it is not compared,
# because the tables of HL7 2.3.1 and 2.5 differ (A05)
STRUCTURES: Final = {
    FeedEvent.ADMIT: "ADT_A01",
    FeedEvent.REGISTER: "ADT_A01",
    FeedEvent.PREADMIT: "ADT_A01",
    FeedEvent.UPDATE: "ADT_A01",
    FeedEvent.CREATE: "ADT_A05",
    FeedEvent.UPDATE_PERSON: "ADT_A05",
    FeedEvent.MERGE: "ADT_A39",
    FeedEvent.MERGE_INFORMATION: "ADT_A18",
    FeedEvent.MERGE_IDENTIFIER: "ADT_A30",
    FeedEvent.MERGE_IDENTIFIER_AND_ACCOUNT: "ADT_A30",
    FeedEvent.CHANGE_IDENTIFIER: "ADT_A30",
    FeedEvent.LINK: "ADT_A24",
    FeedEvent.UNLINK: "ADT_A37",
    FeedEvent.CHANGE_XAD_PID: "ADT_A43",
}

# MSH-11, table 0103
PROCESSING_IDS: Final = frozenset({"P", "T", "D"})
