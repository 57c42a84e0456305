"""ebRIM: registry objects in XML ↔ :class:`~xds.metadata.registry_object.RegistryObject` (ITI TF-3, 4.2).

Decoding keeps everything (DESIGN D11) and judges nothing: missing codes, repeated Slots, unknown schemes are findings
of ``metadata.rules``. What it does set right, because systems in use need it:

* UUID URNs become lower case and lose surrounding white space: ids, references, schemes, nodes, objectType. ITI TF-3,
  table 4.2.3.1.7-2 wants lower case, senders exist that write capitals.
* White space around a Slot's Value is dropped: pretty-printed messages have it, and no data type of table 4.2.3.1.7-2
  begins or ends with it.
* A Classification or ExternalIdentifier beside its object in the list is put into it (ITI TF-3, 4.2.1.2 shows the
  marker of a RegistryPackage both ways).
* An object without id gets one: the schema demands it, some senders leave it out of Associations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from xds.datatypes.ids import is_uuid, new_uuid
from xds.ebxml.xml import XML_SPACE, attribute, text
from xds.metadata.registry_object import (
    Classification,
    ExternalIdentifier,
    InternationalString,
    LocalizedString,
    RegistryObject,
    Submission,
)
from xds.metadata.requests import ObjectRef
from xds.vocab.ebrim import PATIENT_ID_SCHEME, IdScheme, Node, ObjectKind, ObjectType, Scheme, SlotName
from xds.vocab.namespaces import RIM, XML

_SLOT: Final = f"{{{RIM}}}Slot"
_VALUE_LIST: Final = f"{{{RIM}}}ValueList"
_VALUE: Final = f"{{{RIM}}}Value"
_NAME: Final = f"{{{RIM}}}Name"
_DESCRIPTION: Final = f"{{{RIM}}}Description"
_LOCALIZED_STRING: Final = f"{{{RIM}}}LocalizedString"
_VERSION_INFO: Final = f"{{{RIM}}}VersionInfo"
_CLASSIFICATION: Final = f"{{{RIM}}}Classification"
_EXTERNAL_IDENTIFIER: Final = f"{{{RIM}}}ExternalIdentifier"
_PARTS: Final = frozenset({_CLASSIFICATION, _EXTERNAL_IDENTIFIER})
_OBJECT_REF: Final = f"{{{RIM}}}ObjectRef"
_CONTENT_VERSION_INFO: Final = f"{{{RIM}}}ContentVersionInfo"
_LANG: Final = f"{{{XML}}}lang"

# the identifiers every message repeats: found here they need no normalising, and are kept once in memory
_KNOWN: Final[dict[str, str]] = {str(urn): str(urn) for group in (Scheme, IdScheme, Node) for urn in group}

_KINDS: Final = {
    f"{{{RIM}}}ExtrinsicObject": (ObjectKind.DOCUMENT_ENTRY, "ExtrinsicObject"),
    f"{{{RIM}}}RegistryPackage": (ObjectKind.UNKNOWN, "RegistryPackage"),
    f"{{{RIM}}}Association": (ObjectKind.ASSOCIATION, "Association"),
}
_PACKAGE_KINDS: Final = {
    (True, False): ObjectKind.SUBMISSION_SET,
    (False, True): ObjectKind.FOLDER,
}
# attribute of the element → field of RegistryObject; a UUID URN in it is put into lower case
_ATTRIBUTES: Final = {
    "id": "id",
    "objectType": "object_type",
    "status": "status",
    "home": "home",
    "lid": "lid",
    "mimeType": "mime_type",
    "associationType": "association_type",
    "sourceObject": "source",
    "targetObject": "target",
}
# attributes that mean nothing in Document Sharing
_SILENT: Final = {"isOpaque"}

# --------------------------------------------------------------------------- decoding


def decode_list(element: etree._Element) -> Submission:
    """The registry objects in a rim:RegistryObjectList, in message order; ObjectRefs in it are left out.

    A Classification or ExternalIdentifier whose object is not in the list, and an element that is no registry object
    of Document Sharing, come out as objects of kind UNKNOWN: nothing vanishes.
    """
    return Submission([item for item in decode_items(element) if isinstance(item, RegistryObject)])


def decode_items(element: etree._Element) -> list[RegistryObject | ObjectRef]:
    """As ``decode_list``, with the ObjectRefs."""
    items: list[RegistryObject | ObjectRef] = []
    loose: list[etree._Element] = []
    counts: dict[str, int] = {}
    for child in element:
        tag = child.tag
        if tag in _PARTS:
            loose.append(child)
        elif tag == _OBJECT_REF:
            home = child.get("home", "").strip(XML_SPACE) or None
            items.append(ObjectRef(reference(child.get("id", "")), home))
        elif isinstance(tag, str):
            count = counts[tag] = counts.get(tag, 0) + 1
            items.append(decode_object(child, position=count))
    if loose:
        _place(loose, items)
    return items


def decode_object(element: etree._Element, *, position: int = 1) -> RegistryObject:
    """One registry object; ``position`` is its number among the elements of its name, for ``location``."""
    kind, name = _KINDS.get(str(element.tag)) or (ObjectKind.UNKNOWN, etree.QName(element).localname)
    decoded = RegistryObject(kind, element=name)
    for key, value in _attributes(element).items():
        attribute = _ATTRIBUTES.get(key)
        if attribute is not None:
            setattr(decoded, attribute, reference(value))
        elif key not in _SILENT:
            decoded.unknown.append("@" + key)
    if not decoded.id:
        decoded.id = new_uuid()
    decoded.location = f"{name}[{position}] {decoded.id}"
    _decode_children(element, decoded)
    if name == "RegistryPackage":
        decoded.kind = _package_kind(decoded)
    return decoded


def _decode_children(element: etree._Element, decoded: RegistryObject) -> None:
    for child in element:
        tag = child.tag
        if tag == _SLOT:
            _add_slot(child, decoded)
        elif tag == _CLASSIFICATION:
            decoded.classifications.append(_decode_classification(child, decoded.id))
        elif tag == _EXTERNAL_IDENTIFIER:
            decoded.external_identifiers.append(_decode_external_identifier(child, decoded.id))
        elif tag == _NAME:
            decoded.name = decoded.name + _decode_strings(child)
        elif tag == _DESCRIPTION:
            decoded.description = decoded.description + _decode_strings(child)
        elif tag == _VERSION_INFO:
            decoded.version = child.get("versionName", "1.1").strip(XML_SPACE)  # the schema's default
        elif tag != _CONTENT_VERSION_INFO and isinstance(tag, str):
            decoded.unknown.append(tag)


def decode_slot(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    """Name and values of a rim:Slot, without white space around them."""
    # first child and next sibling: an iterator over one or two children costs five times that
    values = []
    value_list = element[0] if len(element) else None
    while value_list is not None:
        if value_list.tag == _VALUE_LIST and len(value_list):
            value: etree._Element | None = value_list[0]
            while value is not None:
                if value.tag == _VALUE:
                    values.append((value.text or "").strip(XML_SPACE))
                value = value.getnext()
        value_list = value_list.getnext()
    return element.get("name", "").strip(XML_SPACE), tuple(values)


def _add_slot(element: etree._Element, owner: RegistryObject | Classification | ExternalIdentifier) -> None:
    name, values = decode_slot(element)
    slots = owner.slots
    if name not in slots:
        slots[name] = list(values)
        return
    slots[name] += values
    if not isinstance(owner, ExternalIdentifier):
        owner.repeated_slots.append(name)


def _decode_strings(element: etree._Element) -> InternationalString:
    strings = []
    child = element[0] if len(element) else None
    while child is not None:
        if child.tag == _LOCALIZED_STRING:
            get = _attributes(child).get
            strings.append(LocalizedString(get("value", ""), get(_LANG), get("charset")))
        child = child.getnext()
    return tuple(strings)


def _decode_classification(element: etree._Element, owner: str) -> Classification:
    get = _attributes(element).get
    scheme, node, code = get("classificationScheme"), get("classificationNode"), get("nodeRepresentation")
    classified = get("classifiedObject")
    decoded = Classification(
        None if scheme is None else _KNOWN.get(scheme) or reference(scheme),
        None if node is None else _KNOWN.get(node) or reference(node),
        None if code is None else code.strip(XML_SPACE),
        id=reference(get("id", "")),
        classified_object=classified if classified is None or classified == owner else reference(classified),
    )
    child = element[0] if len(element) else None
    while child is not None:
        tag = child.tag
        if tag == _SLOT:
            _add_slot(child, decoded)
        elif tag == _NAME:
            decoded.name = _decode_strings(child)
        elif tag == _DESCRIPTION:
            decoded.description = _decode_strings(child)
        child = child.getnext()
    return decoded


def _decode_external_identifier(element: etree._Element, owner: str) -> ExternalIdentifier:
    get = _attributes(element).get
    scheme, registry_object = get("identificationScheme", ""), get("registryObject")
    decoded = ExternalIdentifier(
        _KNOWN.get(scheme) or reference(scheme),
        get("value", "").strip(XML_SPACE),
        id=reference(get("id", "")),
        registry_object=registry_object
        if registry_object is None or registry_object == owner
        else reference(registry_object),
    )
    child = element[0] if len(element) else None
    while child is not None:
        tag = child.tag
        if tag == _NAME:
            decoded.name = _decode_strings(child)
        elif tag == _DESCRIPTION:
            decoded.description = _decode_strings(child)
        elif tag == _SLOT:
            _add_slot(child, decoded)
        child = child.getnext()
    return decoded


def _attributes(element: etree._Element) -> dict[str, str]:
    return dict(element.items())  # type: ignore[arg-type]  # the stubs allow for bytes, which Python 3 never sees


def reference(value: str) -> str:
    """An identifier without white space around it; a UUID URN in lower case, which is its only legal form."""
    value = value.strip(XML_SPACE)
    return value.lower() if value[:9].lower() == "urn:uuid:" else value


def _package_kind(package: RegistryObject) -> ObjectKind:
    """SubmissionSet or Folder by marker; UNKNOWN when it has neither or both (ITI TF-3, 4.2.1.2 and 4.2.1.3)."""
    nodes = {classification.node for classification in package.classifications}
    return _PACKAGE_KINDS.get((Node.SUBMISSION_SET in nodes, Node.FOLDER in nodes), ObjectKind.UNKNOWN)


def _place(loose: Iterable[etree._Element], items: list[RegistryObject | ObjectRef]) -> None:
    """Put Classifications and ExternalIdentifiers that stand beside their object into it."""
    by_id = {item.id: item for item in reversed(items) if isinstance(item, RegistryObject)}
    counts: dict[str, int] = {}
    changed: list[RegistryObject] = []
    for element in loose:
        name = etree.QName(element).localname
        counts[name] = counts.get(name, 0) + 1
        if name == "Classification":
            classification = _decode_classification(element, "")
            owner = by_id.get(classification.classified_object or "")
        else:
            identifier = _decode_external_identifier(element, "")
            owner = by_id.get(identifier.registry_object or "")
        if owner is None:
            id_ = reference(element.get("id", "")) or new_uuid()
            owner = RegistryObject(ObjectKind.UNKNOWN, id_, name, f"{name}[{counts[name]}] {id_}")
            items.append(owner)
        if name == "Classification":
            owner.classifications.append(classification)
            changed.append(owner)
        else:
            owner.external_identifiers.append(identifier)
    for owner in changed:
        if owner.element == "RegistryPackage":
            owner.kind = _package_kind(owner)


# --------------------------------------------------------------------------- encoding


@dataclass(frozen=True, slots=True)
class Rendering:
    """What stands in an object's XML where a stored fragment has a hole; all of it is XML already."""

    id: str
    attributes: str  # everything but id, mimeType, objectType
    version: str  # the VersionInfo element, or nothing
    patient_id: str | None = None  # None: as the object says
    slot: str | None = None  # stands for lastUpdateTime; None: as the object says


def encode(registry_object: RegistryObject) -> bytes:
    """A registry object as XML in schema order, with the prefix ``rim`` undeclared (``xml.PREFIXES`` declares it).

    Classifications and ExternalIdentifiers get an id when theirs is no UUID, and always name this object as the one
    they belong to. A package without its marker gets that. Raises ValueError for an object of unknown kind without a
    known element, and for text that XML cannot carry.
    """
    o = registry_object
    attributes = _optional("lid", o.lid) + _optional("home", o.home) + _optional("status", o.status)
    if o.kind is ObjectKind.ASSOCIATION:
        attributes += (
            _optional("associationType", o.association_type)
            + _optional("sourceObject", o.source)
            + _optional("targetObject", o.target)
        )
    version = "" if o.version is None else f'<rim:VersionInfo versionName="{attribute(o.version)}"/>'
    return render(o, Rendering(attribute(o.id), attributes, version)).encode()


def render(o: RegistryObject, rendering: Rendering) -> str:
    """The XML of ``o`` with the parts that ``rendering`` gives (ebRIM order: ITI TF-3, 4.2.3)."""
    element, default_type, marker = _ELEMENTS.get(o.kind) or _unknown_element(o)
    own = rendering.id
    out = [f'<rim:{element} id="{own}"{rendering.attributes}']
    if o.mime_type is not None and o.kind is ObjectKind.DOCUMENT_ENTRY:
        out.append(f' mimeType="{attribute(o.mime_type)}"')
    out.append(f"{_optional('objectType', o.object_type or default_type)}>")
    _slots(out, o.slots, rendering.slot)
    _strings(out, "Name", o.name)
    _strings(out, "Description", o.description)
    out.append(rendering.version)
    for classification in o.classifications:
        if classification.node == marker:
            marker = None
        _classification(out, classification, own)
    if marker is not None:
        _classification(out, Classification(node=marker), own)
    scheme = None if rendering.patient_id is None else PATIENT_ID_SCHEME.get(o.kind)
    for identifier in o.external_identifiers:
        if identifier.scheme == scheme:
            _external_identifier(out, identifier, own, rendering.patient_id)
            scheme = None
        else:
            _external_identifier(out, identifier, own, None)
    out.append(f"</rim:{element}>")
    return "".join(out)


# kind → element, objectType where the object has none, marker
_ELEMENTS: Final[dict[ObjectKind, tuple[str, str | None, str | None]]] = {
    ObjectKind.DOCUMENT_ENTRY: ("ExtrinsicObject", None, None),
    ObjectKind.SUBMISSION_SET: ("RegistryPackage", ObjectType.REGISTRY_PACKAGE, Node.SUBMISSION_SET),
    ObjectKind.FOLDER: ("RegistryPackage", ObjectType.REGISTRY_PACKAGE, Node.FOLDER),
    ObjectKind.ASSOCIATION: ("Association", ObjectType.ASSOCIATION, None),
}
_PACKAGE: Final = ("RegistryPackage", str(ObjectType.REGISTRY_PACKAGE), None)


def _unknown_element(o: RegistryObject) -> tuple[str, str | None, str | None]:
    if o.element != "RegistryPackage":
        raise ValueError("an object of unknown kind cannot be written")
    return _PACKAGE


def _slot_opening(name: str) -> str:
    return f'<rim:Slot name="{attribute(name)}"><rim:ValueList>'


_SLOT_OPENINGS: Final = {str(name): _slot_opening(name) for name in SlotName}


def slot(name: str, values: Iterable[str]) -> str:
    """One rim:Slot as XML."""
    opening = _SLOT_OPENINGS.get(name) or _slot_opening(name)
    return (
        opening + "".join([f"<rim:Value>{text(value)}</rim:Value>" for value in values]) + "</rim:ValueList></rim:Slot>"
    )


def _slots(out: list[str], slots: dict[str, list[str]], instead: str | None = None) -> None:
    if instead is not None:
        out.append(instead)
    for name, values in slots.items():
        if instead is None or name != SlotName.LAST_UPDATE_TIME:
            out.append(slot(name, values))


def _strings(out: list[str], element: str, strings: InternationalString) -> None:
    if not strings:
        return
    out.append(f"<rim:{element}>")
    for string in strings:
        lang, charset = _optional("xml:lang", string.lang), _optional("charset", string.charset)
        out.append(f'<rim:LocalizedString{lang}{charset} value="{attribute(string.value)}"/>')
    out.append(f"</rim:{element}>")


_CLASSIFICATION_TYPE: Final = f' objectType="{ObjectType.CLASSIFICATION}"'
_IDENTIFIER_TYPE: Final = f' objectType="{ObjectType.EXTERNAL_IDENTIFIER}"'


def _classification(out: list[str], c: Classification, own: str) -> None:
    id_ = c.id if is_uuid(c.id) else new_uuid()
    out.append(f'<rim:Classification id="{id_}"{_CLASSIFICATION_TYPE}')
    if c.scheme is not None:
        out.append(f' classificationScheme="{_KNOWN.get(c.scheme) or attribute(c.scheme)}"')
    out.append(f' classifiedObject="{own}"')
    if c.node is not None:
        out.append(f' classificationNode="{_KNOWN.get(c.node) or attribute(c.node)}"')
    if c.code is not None:
        out.append(f' nodeRepresentation="{attribute(c.code)}"')
    if not (c.slots or c.name or c.description):
        out.append("/>")
        return
    out.append(">")
    _slots(out, c.slots)
    _strings(out, "Name", c.name)
    _strings(out, "Description", c.description)
    out.append("</rim:Classification>")


def _external_identifier(out: list[str], e: ExternalIdentifier, own: str, value: str | None) -> None:
    id_ = e.id if is_uuid(e.id) else new_uuid()
    scheme = _KNOWN.get(e.scheme) or attribute(e.scheme)
    value = attribute(e.value) if value is None else value
    out.append(
        f'<rim:ExternalIdentifier id="{id_}"{_IDENTIFIER_TYPE} registryObject="{own}"'
        f' identificationScheme="{scheme}" value="{value}">'
    )
    _slots(out, e.slots)
    _strings(out, "Name", e.name)
    _strings(out, "Description", e.description)
    out.append("</rim:ExternalIdentifier>")


def _optional(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{attribute(value)}"'
