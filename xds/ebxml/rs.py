"""ebRS: SubmitObjectsRequest and RegistryResponse ↔ values (ITI TF-2, 3.42.4; ITI TF-3, 4.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lxml import etree

from xds.ebxml import rim
from xds.ebxml.xml import XML_SPACE, attribute, legal
from xds.errors import MalformedMessage, RegistryError
from xds.metadata.registry_object import Submission
from xds.vocab.ebrim import Severity
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import LCM, RIM, RS

SUBMIT_OBJECTS_REQUEST: Final = f"{{{LCM}}}SubmitObjectsRequest"
REGISTRY_RESPONSE: Final = f"{{{RS}}}RegistryResponse"
_REGISTRY_OBJECT_LIST: Final = f"{{{RIM}}}RegistryObjectList"
_REGISTRY_ERROR_LIST: Final = f"{{{RS}}}RegistryErrorList"
_REGISTRY_ERROR: Final = f"{{{RS}}}RegistryError"

_ERROR_CODES: Final = {str(code): code for code in ErrorCode}
_SEVERITIES: Final = {str(severity): severity for severity in Severity}


def expect(element: etree._Element, tag: str) -> None:
    """Raises MalformedMessage when ``element`` is another than the one a message of this kind consists of."""
    if element.tag != tag:
        raise MalformedMessage(f"the body is no {etree.QName(tag).localname}")


# --------------------------------------------------------------------------- SubmitObjectsRequest


def decode_submit_objects(element: etree._Element) -> Submission:
    """The submission in an lcm:SubmitObjectsRequest (ITI-42, 57, 61, 92, and inside ITI-41).

    Raises MalformedMessage when it is something else, or has not exactly one RegistryObjectList.
    """
    expect(element, SUBMIT_OBJECTS_REQUEST)
    lists = element.findall(_REGISTRY_OBJECT_LIST)
    if len(lists) != 1:
        raise MalformedMessage(f"the SubmitObjectsRequest has {len(lists)} RegistryObjectLists instead of one")
    return rim.decode_list(lists[0])


def encode_submit_objects(submission: Submission) -> bytes:
    """A submission as lcm:SubmitObjectsRequest, with undeclared prefixes (``xml.PREFIXES``).

    Objects keep their ids, symbolic or not. Raises ValueError as ``rim.encode`` does.
    """
    objects = b"".join([rim.encode(registry_object) for registry_object in submission.objects])
    return _SUBMIT_OPEN + objects + _SUBMIT_CLOSE


_SUBMIT_OPEN: Final = b"<lcm:SubmitObjectsRequest><rim:RegistryObjectList>"
_SUBMIT_CLOSE: Final = b"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"

# --------------------------------------------------------------------------- RegistryResponse


def decode_registry_response(element: etree._Element) -> tuple[str, tuple[RegistryError, ...]]:
    """@status of an rs:RegistryResponse and its errors and warnings. Raises MalformedMessage."""
    expect(element, REGISTRY_RESPONSE)
    return decode_outcome(element)


def decode_outcome(element: etree._Element) -> tuple[str, tuple[RegistryError, ...]]:
    """As ``decode_registry_response``, for any element of RegistryResponseType.

    Codes that the Framework does not know stay text, and what has no known severity is an error: a peer's answer must
    not be taken for better than it is.
    """
    status = element.get("status", "").strip(XML_SPACE)
    if not status:
        raise MalformedMessage("the response has no status")
    return status, tuple(
        _decode_error(error)
        for errors in element.findall(_REGISTRY_ERROR_LIST)
        for error in errors.findall(_REGISTRY_ERROR)
    )


def _decode_error(element: etree._Element) -> RegistryError:
    code = element.get("errorCode", "").strip(XML_SPACE)
    severity = element.get("severity", "").strip(XML_SPACE)
    return RegistryError(
        _ERROR_CODES.get(code, code),
        element.get("codeContext", ""),
        element.get("location", ""),
        _SEVERITIES.get(severity, Severity.ERROR),
    )


def encode_registry_response(status: str, errors: Sequence[RegistryError] = ()) -> bytes:
    """An rs:RegistryResponse with undeclared prefixes (``xml.PREFIXES``)."""
    if not errors:
        return f'<rs:RegistryResponse status="{attribute(status)}"/>'.encode()
    opening = f'<rs:RegistryResponse status="{attribute(status)}">'.encode()
    return opening + encode_errors(errors) + b"</rs:RegistryResponse>"


def encode_errors(errors: Sequence[RegistryError]) -> bytes:
    """The rs:RegistryErrorList; nothing when there are no errors (ITI TF-3, 4.2.4.1).

    codeContext and location may hold anything: characters XML cannot carry are replaced, so that an error gets out.
    """
    if not errors:
        return b""
    highest = Severity.ERROR if any(e.severity is Severity.ERROR for e in errors) else Severity.WARNING
    return (
        f'<rs:RegistryErrorList highestSeverity="{highest}">'
        + "".join([_encode_error(error) for error in errors])
        + "</rs:RegistryErrorList>"
    ).encode()


def _encode_error(error: RegistryError) -> str:
    location = f' location="{attribute(legal(error.location))}"' if error.location else ""
    # codeContext is required, and some readers want it filled
    context = attribute(legal(error.context or str(error.code)))
    return (
        f'<rs:RegistryError errorCode="{attribute(legal(str(error.code)))}" codeContext="{context}"{location}'
        f' severity="{error.severity}"/>'
    )
