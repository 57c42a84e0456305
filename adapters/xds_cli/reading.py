"""What the options of the commands for documents mean, and how what is wrong with them is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from xds.datatypes.hl7 import CX, cx_problem
from xds.errors import MalformedMessage, PeerRejected, PeerUnreachable
from xds.metadata.common import Code
from xds_cli.output import print_errors

_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
# what a document gets when nobody says more; all of them are in the code tables of the usual test environments
DEFAULT_CODES: Final[Mapping[str, str]] = {
    "class_code": "SUMMARIES^Summaries^1.3.6.1.4.1.19376.1.2.6.1",
    "type_code": f"34133-9^Summarization of Episode Note^{_LOINC}",
    # for "the MIME type says enough" (IHE formatCode value set)
    "format_code": "urn:ihe:iti:xds:2017:mimeTypeSufficient^mimeType Sufficient^1.3.6.1.4.1.19376.1.2.3",
    "confidentiality_code": "N^normal^2.16.840.1.113883.5.25",
    "healthcare_facility_type_code": f"22232009^Hospital^{_SNOMED}",
    "practice_setting_code": f"309927009^General medical department^{_SNOMED}",
    "content_type_code": f"22232009^Hospital^{_SNOMED}",
    "folder_code": "Referrals^Referrals^1.3.6.1.4.1.21367.2017.3",
}


class WrongInput(Exception):
    """The command line asks for something impossible; the text says what to change."""


class Refused(Exception):
    """The peer refused, and what it said has been printed."""


def read_code(text: str, option: str) -> Code:
    """``CODE^NAME^SCHEME``, or ``CODE^^SCHEME``."""
    parts = text.split("^")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise WrongInput(f"{option} {text!r}: write CODE^NAME^SCHEME, for example {DEFAULT_CODES['class_code']!r}")
    return Code(parts[0], parts[2], parts[1] or None)


def read_patient(text: str, domain: str) -> CX:
    """``ID``, in the affinity domain, or ``ID^^^&OID&ISO``."""
    if "^" not in text:
        return CX.of(text, domain)
    problem = cx_problem(text)
    if problem is not None:
        raise WrongInput(f"--patient: {problem}; write ID^^^&OID&ISO")
    return CX.parse(text)


@contextmanager
def explained(command: str, *, as_json: bool) -> Iterator[None]:
    """What a peer answers becomes lines on standard error and Refused."""
    try:
        yield
    except PeerRejected as error:
        print_errors(command, str(error), error.errors, as_json=as_json)
        raise Refused from None
    except PeerUnreachable as error:
        print_errors(command, str(error), (), as_json=False)
        raise Refused from None
    except MalformedMessage as error:  # of an object that a query found, when its values are first read
        print_errors(command, f"the answer cannot be read: {error}", (), as_json=False)
        raise Refused from None


def flag(attribute: str) -> str:
    """The option for an attribute: ``class_code`` is ``--class-code``."""
    return "--" + attribute.replace("_", "-")
