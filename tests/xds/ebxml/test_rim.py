"""Registry objects in ebRIM: nothing is lost, in neither direction."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.xds.ebxml import support
from xds.datatypes.ids import is_uuid
from xds.ebxml import rim, xml
from xds.metadata.registry_object import Classification, LocalizedString, RegistryObject
from xds.metadata.requests import ObjectRef
from xds.vocab.ebrim import IdScheme, Node, ObjectKind, ObjectType, Scheme

SET = Node.SUBMISSION_SET.value
FOLDER = Node.FOLDER.value


def read(content: str) -> list[RegistryObject]:
    """The objects in a RegistryObjectList with this content."""
    element = support.rooted(f"<rim:RegistryObjectList>{content}</rim:RegistryObjectList>".encode())
    return rim.decode_list(element).objects


def read_one(content: str) -> RegistryObject:
    (only,) = read(content)
    return only


@given(support.registry_objects())
def test_what_is_written_is_read_again_as_it_was(registry_object: RegistryObject) -> None:
    assert rim.decode_object(support.rooted(rim.encode(registry_object))) == registry_object


def test_a_list_is_read_in_message_order() -> None:
    submission = support.submission()
    content = b"".join(rim.encode(registry_object) for registry_object in submission.objects)
    assert rim.decode_list(support.rooted(b"<rim:RegistryObjectList>" + content + b"</rim:RegistryObjectList>")) == (
        submission
    )


# --------------------------------------------------------------------------- reading


def test_everything_in_an_object_is_read() -> None:
    entry = read_one("""
        <rim:ExtrinsicObject id=" urn:uuid:AAAAAAAA-0000-4000-8000-00000000000A " lid="L" home="urn:oid:1.2"
            isOpaque="true" objectType="urn:uuid:7EDCA82F-054D-47F2-A032-9B2A5B5186C1" status=" S "
            mimeType="text/plain">
          <rim:Slot name="b"><rim:ValueList><rim:Value>
              1
          </rim:Value><rim:Value/><rim:Value>2 3</rim:Value></rim:ValueList></rim:Slot>
          <rim:Slot name="a"><rim:ValueList/></rim:Slot>
          <rim:Slot name="c"/>
          <rim:Name><rim:LocalizedString value=" A&#10;B " xml:lang="de" charset="UTF-16"/>
            <rim:LocalizedString value="C"/></rim:Name>
          <rim:Description/>
          <rim:VersionInfo versionName="3" comment="x"/>
          <rim:Classification id="c1" classificationScheme="urn:uuid:41A5887F-8865-4C09-ADF7-E362475B143A"
              classifiedObject="urn:uuid:aaaaaaaa-0000-4000-8000-00000000000a" nodeRepresentation=" N ">
            <rim:Slot name="codingScheme"><rim:ValueList><rim:Value>1.2</rim:Value></rim:ValueList></rim:Slot>
            <rim:Name><rim:LocalizedString value="Note"/></rim:Name>
            <rim:Description><rim:LocalizedString value="Longer"/></rim:Description>
          </rim:Classification>
          <rim:ExternalIdentifier id="e1" registryObject="R" value=" V "
              identificationScheme="urn:uuid:58A6F841-87B3-4a3e-92FD-A8FFEFF98427"/>
          <rim:ContentVersionInfo versionName="1"/>
        </rim:ExtrinsicObject>""")
    assert (entry.kind, entry.element) == (ObjectKind.DOCUMENT_ENTRY, "ExtrinsicObject")
    assert entry.id == "urn:uuid:aaaaaaaa-0000-4000-8000-00000000000a"
    assert entry.location == f"ExtrinsicObject[1] {entry.id}"
    assert entry.object_type == "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    assert (entry.lid, entry.home, entry.status, entry.mime_type) == ("L", "urn:oid:1.2", "S", "text/plain")
    assert list(entry.slots.items()) == [("b", ["1", "", "2 3"]), ("a", []), ("c", [])]
    assert entry.name == (LocalizedString(" A\nB ", "de", "UTF-16"), LocalizedString("C"))
    assert (entry.description, entry.version) == ((), "3")
    (classification,) = entry.classifications
    assert (classification.scheme, classification.code, classification.node) == (Scheme.CLASS_CODE, "N", None)
    assert (classification.id, classification.coding_scheme, classification.classified_object) == (
        "c1",
        "1.2",
        entry.id,
    )
    assert (classification.name, classification.description) == (support.name("Note"), support.name("Longer"))
    (identifier,) = entry.external_identifiers
    assert (identifier.scheme, identifier.value) == (IdScheme.DOCUMENT_ENTRY_PATIENT_ID, "V")
    assert (identifier.id, identifier.registry_object) == ("e1", "R")
    assert (entry.unknown, entry.repeated_slots) == ([], [])


def test_children_are_read_in_whatever_order_they_stand() -> None:
    entry = read_one("""
        <rim:ExtrinsicObject id="D">
          <rim:ExternalIdentifier id="e" registryObject="D" identificationScheme="s" value="v"/>
          <rim:Classification id="c" classificationScheme="x" classifiedObject="D"/>
          <rim:Description><rim:LocalizedString value="d"/></rim:Description>
          <rim:Slot name="size"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList></rim:Slot>
          <rim:Name><rim:LocalizedString value="n"/></rim:Name></rim:ExtrinsicObject>""")
    assert (entry.slots, entry.name, entry.description) == ({"size": ["1"]}, support.name("n"), support.name("d"))
    assert [c.slots for c in entry.classifications] == [{}]
    assert entry.external_identifier("s") == "v"


def test_a_repeated_slot_keeps_its_values_and_is_noted() -> None:
    entry = read_one("""
        <rim:ExtrinsicObject id="D">
          <rim:Slot name="size"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList></rim:Slot>
          <rim:Slot name=" size "><rim:ValueList><rim:Value>2</rim:Value></rim:ValueList></rim:Slot>
          <rim:Classification id="c" classificationScheme="x" classifiedObject="D">
            <rim:Slot name="codingScheme"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList></rim:Slot>
            <rim:Slot name="codingScheme"><rim:ValueList><rim:Value>2</rim:Value></rim:ValueList></rim:Slot>
          </rim:Classification></rim:ExtrinsicObject>""")
    assert (entry.slots, entry.repeated_slots) == ({"size": ["1", "2"]}, ["size"])
    assert entry.classifications[0].slots == {"codingScheme": ["1", "2"]}
    assert entry.classifications[0].repeated_slots == ["codingScheme"]


def test_what_is_unknown_is_left_out_and_noted() -> None:
    entry = read_one("""
        <rim:ExtrinsicObject id="D" xmlns:x="urn:x" x:a="1" colour="blue"><x:Extension>text</x:Extension>
        <rim:ExternalLink/></rim:ExtrinsicObject>""")
    assert entry.unknown == ["@{urn:x}a", "@colour", "{urn:x}Extension", f"{{{rim.RIM}}}ExternalLink"]


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ((SET,), ObjectKind.SUBMISSION_SET),
        ((FOLDER,), ObjectKind.FOLDER),
        ((SET.upper().replace("URN:UUID:", "urn:uuid:"),), ObjectKind.SUBMISSION_SET),
        ((SET, Node.LIMITED_SUBMISSION_SET.value), ObjectKind.SUBMISSION_SET),
        ((SET, SET), ObjectKind.SUBMISSION_SET),
        ((), ObjectKind.UNKNOWN),
        ((SET, FOLDER), ObjectKind.UNKNOWN),
        ((Node.LIMITED_FOLDER.value,), ObjectKind.UNKNOWN),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_the_marker_decides_what_a_package_is(nodes: tuple[str, ...], kind: ObjectKind, inside: bool) -> None:
    markers = "".join(
        f'<rim:Classification id="m{n}" classifiedObject="P" classificationNode="{node}"/>'
        for n, node in enumerate(nodes)
    )
    package = f'<rim:RegistryPackage id="P">{markers if inside else ""}</rim:RegistryPackage>'
    decoded = read_one(package if inside else markers + package)
    assert decoded.kind is kind
    assert [c.node for c in decoded.classifications] == [node.lower() for node in nodes]
    assert [c.id for c in decoded.classifications] == [f"m{n}" for n in range(len(nodes))]


def test_an_identifier_beside_its_object_is_put_into_it() -> None:
    (entry,) = read(
        '<rim:ExternalIdentifier id="e" registryObject="D" identificationScheme="s" value="v"/>'
        '<rim:ExtrinsicObject id="D"/>'
    )
    assert entry.external_identifier("s") == "v"


def test_a_part_whose_object_is_not_there_does_not_vanish() -> None:
    entry, classification, identifier = read(
        '<rim:ExtrinsicObject id="D"/>'
        f'<rim:Classification id="c" classifiedObject="other" classificationNode="{SET}"/>'
        '<rim:ExternalIdentifier id="e" registryObject="other" identificationScheme="s" value="v"/>'
    )
    assert (entry.classifications, entry.external_identifiers) == ([], [])
    assert (classification.kind, classification.element, classification.id) == (
        ObjectKind.UNKNOWN,
        "Classification",
        "c",
    )
    assert classification.location == "Classification[1] c"
    assert [c.node for c in classification.classifications] == [SET]
    assert (identifier.kind, identifier.location) == (ObjectKind.UNKNOWN, "ExternalIdentifier[1] e")
    assert [e.value for e in identifier.external_identifiers] == ["v"]


def test_an_element_that_is_no_object_of_document_sharing_does_not_vanish() -> None:
    service, foreign = read('<rim:Service id="s"/><x:Thing xmlns:x="urn:x" id="t"/>')
    assert (service.kind, service.element, service.id) == (ObjectKind.UNKNOWN, "Service", "s")
    assert (foreign.kind, foreign.element, foreign.id) == (ObjectKind.UNKNOWN, "Thing", "t")


def test_references_in_a_submission_are_left_out_and_in_an_answer_are_read() -> None:
    content = (
        '<rim:ObjectRef id="urn:uuid:AAAAAAAA-0000-4000-8000-00000000000A" home="urn:oid:1.2"/>'
        '<rim:Association id="A"/>'
    )
    assert [o.id for o in read(content)] == ["A"]
    items = rim.decode_items(support.rooted(f"<rim:RegistryObjectList>{content}</rim:RegistryObjectList>".encode()))
    assert items[0] == ObjectRef("urn:uuid:aaaaaaaa-0000-4000-8000-00000000000a", "urn:oid:1.2")


@pytest.mark.parametrize("attribute", ["", 'id=""', 'id="  "'])
def test_an_object_without_id_gets_one(attribute: str) -> None:
    one, other = read(f"<rim:Association {attribute}/><rim:Association {attribute}/>")
    assert is_uuid(one.id)
    assert is_uuid(other.id)
    assert one.id != other.id
    assert one.location == f"Association[1] {one.id}"
    assert other.location == f"Association[2] {other.id}"


def test_white_space_that_belongs_to_a_value_stays() -> None:
    entry = read_one(
        '<rim:ExtrinsicObject id="D"><rim:Slot name="x"><rim:ValueList>'
        "<rim:Value>\n  \u3000王  国强\u00a0 \n</rim:Value></rim:ValueList></rim:Slot></rim:ExtrinsicObject>"
    )
    assert entry.slots == {"x": ["\u3000王  国强\u00a0"]}


def test_a_value_may_be_cdata_or_references() -> None:
    entry = read_one(
        '<rim:ExtrinsicObject id="D"><rim:Slot name="x"><rim:ValueList>'
        "<rim:Value><![CDATA[a&b]]>&amp;<!-- no -->&#67;</rim:Value></rim:ValueList></rim:Slot></rim:ExtrinsicObject>"
    )
    assert entry.slots == {"x": ["a&b&C"]}


# --------------------------------------------------------------------------- writing


def test_parts_are_given_uuids_and_name_their_object() -> None:
    entry = support.document_entry()
    for part in (*entry.classifications, *entry.external_identifiers):
        part.id = "symbolic"
    for classification in entry.classifications:
        classification.classified_object = "wrong"
    decoded = rim.decode_object(support.rooted(rim.encode(entry)))
    ids = [part.id for part in (*decoded.classifications, *decoded.external_identifiers)]
    assert all(is_uuid(id_) for id_ in ids)
    assert len(set(ids)) == len(ids) == 9
    assert {c.classified_object for c in decoded.classifications} == {"Document01"}
    assert {e.registry_object for e in decoded.external_identifiers} == {"Document01"}


def test_default_object_types_are_written() -> None:
    package = RegistryObject(ObjectKind.SUBMISSION_SET, "S")
    package.classifications = [Classification("urn:x", code="c")]
    package.external_identifiers = [support.identifier(IdScheme.SUBMISSION_SET_SOURCE_ID, "S", "1.2")]
    element = support.rooted(rim.encode(package))
    assert element.get("objectType") == ObjectType.REGISTRY_PACKAGE
    assert {child.get("objectType") for child in element} == {ObjectType.CLASSIFICATION, ObjectType.EXTERNAL_IDENTIFIER}
    association = support.rooted(rim.encode(RegistryObject(ObjectKind.ASSOCIATION, "A")))
    assert association.get("objectType") == ObjectType.ASSOCIATION


@pytest.mark.parametrize(("kind", "node"), [(ObjectKind.SUBMISSION_SET, SET), (ObjectKind.FOLDER, FOLDER)])
def test_a_package_without_its_marker_is_given_it(kind: ObjectKind, node: str) -> None:
    decoded = rim.decode_object(support.rooted(rim.encode(RegistryObject(kind, "P"))))
    assert decoded.kind is kind
    assert [c.node for c in decoded.classifications] == [node]


def test_an_object_of_unknown_kind_is_written_only_as_the_package_it_was() -> None:
    package = RegistryObject(ObjectKind.UNKNOWN, "P", "RegistryPackage")
    assert rim.decode_object(support.rooted(rim.encode(package))).kind is ObjectKind.UNKNOWN
    with pytest.raises(ValueError, match="unknown kind"):
        rim.encode(RegistryObject(ObjectKind.UNKNOWN, "C", "Classification"))


@pytest.mark.parametrize("place", ["slot", "title", "code", "value", "id"])
def test_text_that_xml_cannot_carry_is_refused(place: str) -> None:
    registry_object = support.document_entry()
    bad = "a\x02"
    if place == "slot":
        registry_object.slots["x"] = [bad]
    elif place == "title":
        registry_object.name = support.name(bad)
    elif place == "code":
        registry_object.classifications.append(Classification("s", code=bad))
    elif place == "value":
        registry_object.external_identifiers += [support.identifier(IdScheme.FOLDER_UNIQUE_ID, "", bad)]
    else:
        registry_object.id = bad
    with pytest.raises(ValueError, match="cannot carry"):
        rim.encode(registry_object)


@settings(max_examples=30)
@given(st.lists(support.registry_objects(support.uuids), max_size=3))
def test_what_is_written_keeps_to_the_schema(shared: Path, objects: list[RegistryObject]) -> None:
    for registry_object in objects:
        registry_object.home = None  # an anyURI, which not every text is
        registry_object.version = "1"
        for classification in registry_object.classifications:
            classification.scheme = classification.scheme and Scheme.CLASS_CODE.value
            classification.code = classification.code or None
        for identifier in registry_object.external_identifiers:
            identifier.scheme = IdScheme.FOLDER_UNIQUE_ID.value
        registry_object.association_type = registry_object.association_type and "urn:x"
    content = b"".join(rim.encode(registry_object) for registry_object in objects)
    element = support.rooted(b"<rim:RegistryObjectList>" + content + b"</rim:RegistryObjectList>")
    support.schema(shared).assertValid(element)


# --------------------------------------------------------------------------- other people's metadata


def test_the_metadata_of_the_nist_toolkit_is_read_completely(shared: Path) -> None:
    metadata = support.toolkit(shared)
    read_files = 0
    for file in sorted((shared / "conformance/testkit/tests").rglob("*.xml")):
        try:
            objects = metadata.Objects.parse(etree.fromstring(file.read_bytes().lstrip()), submission=True)
        except (metadata.MetadataError, etree.XMLSyntaxError):
            continue  # a plan, not a submission
        request = xml.parse(etree.tostring(metadata.to_v3(objects.all)))
        decoded = {o.id: o for o in rim.decode_list(request[0]).objects}
        for element in objects.docs + objects.packages + objects.assocs:
            o = decoded[rim.reference(element.get("id"))]
            for name in {slot.get("name") for slot in metadata.kids(element, "Slot")} - set(o.repeated_slots):
                assert o.slots[name] == metadata.slot_values(element, name), file
            values = [e.get("value").strip() for e in metadata.kids(element, "ExternalIdentifier")]
            assert [e.value for e in o.external_identifiers][: len(values)] == values, file
            assert len(o.classifications) >= len(metadata.kids(element, "Classification")), file
            assert rim.decode_object(support.rooted(rim.encode(o))).slots == o.slots, file
        assert [id_ for id_, o in decoded.items() if o.kind is ObjectKind.SUBMISSION_SET] == [
            objects.submission_set.get("id")
        ]
        read_files += 1
    assert read_files > 100
