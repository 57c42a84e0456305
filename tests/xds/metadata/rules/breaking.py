"""For every rule of the table, a submission that breaks it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from tests.xds.metadata.examples import (
    CODE,
    OTHER_PATIENT,
    REGISTERED,
    example,
    named,
)
from xds.metadata.registry_object import (
    Classification,
    ExternalIdentifier,
    LocalizedString,
    RegistryObject,
    Submission,
)
from xds.metadata.rules import Profile, Rule
from xds.metadata.rules.attributes import (
    AUTHOR_SLOTS,
    AUTHORS,
    CODES,
    IDENTIFIERS,
    LIMITED_METADATA,
    SLOTS,
    TITLES,
    Attribute,
)
from xds.metadata.rules.finding import KIND_NAMES
from xds.vocab.ebrim import AssociationType, DocumentEntryType, IdScheme, ObjectKind, Scheme, SlotName

Break = Callable[[Submission], None]

IDS = {
    ObjectKind.DOCUMENT_ENTRY: "Document01",
    ObjectKind.SUBMISSION_SET: "SubmissionSet01",
    ObjectKind.FOLDER: "Folder01",
    ObjectKind.ASSOCIATION: "Replacement",
}
# a value of the wrong form for each attribute that has a form
MALFORMED = {
    "creationTime": "20260230",
    "hash": "da39a3ee5e6b4b0d3255bfef95601890afd8070",
    "languageCode": "中文",
    "legalAuthenticator": "^^Wei",
    "referenceIdList": "ORD1^^^&1.2.3&ISO",
    "repositoryUniqueId": "1.02.3",
    "serviceStartTime": "2026-09-01",
    "serviceStopTime": "202613",
    "size": "-1",
    "sourcePatientId": "MRN1",
    "sourcePatientInfo": "NK1-2|Wang^Mei",
    "documentAvailability": "Online",
    "intendedRecipient": "||",
    "submissionTime": "20260904250000",
    "patientId": "P1^^^HIS&1.2.3&ISO",
    "uniqueId": " ",
    "sourceId": "HIS",
    "authorPerson": "^^Wei",
    "authorInstitution": "^^^^^&1.2.3&ISO^^^^45",
    "authorTelecommunication": "12345",
    "submissionSetStatus": "original",
    "associationPropagation": "maybe",
}


def hm(submission: Submission, source: str, target: str) -> RegistryObject:
    return next(o for o in submission.associations if (o.source, o.target) == (source, target))


def without(submission: Submission, obj: RegistryObject) -> None:
    submission.objects = [o for o in submission.objects if o is not obj]


def classification(obj: RegistryObject, scheme: str) -> Classification:
    found = obj.classified_by(scheme)
    if not found:
        found = [CODE.to_classification(scheme, obj.id)]
        obj.classifications += found
    return found[0]


def identifier(obj: RegistryObject, scheme: str) -> ExternalIdentifier:
    return next(e for e in obj.external_identifiers if e.scheme == scheme)


# --------------------------------------------------------------------------- attributes, by table and aspect


def break_slot(slots: dict[str, list[str]], row: Attribute, aspect: str) -> None:
    if aspect == "required":
        del slots[row.source]
    elif aspect == "prohibited":
        slots[row.source] = example().document_entries[0].slots[row.source]
    elif aspect == "single":
        slots[row.source] = slots.get(row.source, ["no"]) * 2
    elif aspect == "form":
        slots[row.source] = [MALFORMED[row.name]]
    else:
        assert aspect == "length"
        slots[row.source] = ["x" * 257]


def break_code(obj: RegistryObject, row: Attribute, aspect: str) -> None:
    broken = classification(obj, row.source)
    if aspect == "required":
        obj.classifications = [c for c in obj.classifications if c.scheme != row.source]
    elif aspect == "single":
        obj.classifications.append(deepcopy(broken))
        obj.classifications[-1].id = "another"
    elif aspect == "code":
        broken.code = ""
    elif aspect == "coding scheme":
        broken.slots[SlotName.CODING_SCHEME] = ["1.2", "1.3"]
    elif aspect == "display name":
        broken.name = ()
    elif aspect == "in domain":
        broken.code = "unheard of"
    elif aspect == "length":
        broken.code = "x" * 257
    else:
        break_parent(broken, "classified_object", aspect)


def break_parent(part: Classification | ExternalIdentifier, attribute: str, aspect: str) -> None:
    assert aspect in ("parent", "parent absent")
    setattr(part, attribute, "SomebodyElse" if aspect == "parent" else None)


def break_author(obj: RegistryObject, row: Attribute, aspect: str) -> None:
    broken = classification(obj, row.source)
    if aspect == "empty code":
        broken.code = "x"
    elif aspect == "code absent":
        broken.code = None
    elif aspect == "contact":
        for name in ("authorPerson", "authorInstitution", "authorTelecommunication"):
            del broken.slots[name]
    else:
        break_parent(broken, "classified_object", aspect)


def break_identifier(obj: RegistryObject, row: Attribute, aspect: str) -> None:
    broken = identifier(obj, row.source)
    if aspect == "required":
        obj.external_identifiers.remove(broken)
    elif aspect == "single":
        obj.external_identifiers.append(deepcopy(broken))
        obj.external_identifiers[-1].id = "another"
    elif aspect == "form":
        broken.value = MALFORMED[row.name] if row.name != "uniqueId" or obj.id == "Document01" else "1.2.x"
    elif aspect == "length":
        broken.value = "x" * 257
    elif aspect == "name":
        broken.name = (LocalizedString("XDSSomething.patientId"),)
    elif aspect == "name absent":
        broken.name = ()
    else:
        break_parent(broken, "registry_object", aspect)


def break_title(obj: RegistryObject, row: Attribute, aspect: str) -> None:
    assert aspect in ("required", "length")
    obj.name = () if aspect == "required" else (LocalizedString("王" * (row.max_length + 1)),)


def break_marker(obj: RegistryObject, row: Attribute, aspect: str) -> None:
    if aspect == "required":
        obj.classifications = [c for c in obj.classifications if c.node != row.source]
    else:
        assert aspect == "prohibited"
        obj.classifications.append(Classification(node=row.source, classified_object=obj.id))


def break_attribute(row: Attribute, aspect: str, submission: Submission) -> None:
    obj = named(submission, IDS[row.kind])
    if row.name == "submissionSetStatus":
        obj = hm(submission, "SubmissionSet01", "Document01")
    if row in SLOTS:
        break_slot(obj.slots, row, aspect)
    elif row in AUTHOR_SLOTS:
        author = Scheme.DOCUMENT_ENTRY_AUTHOR if row.kind is ObjectKind.DOCUMENT_ENTRY else Scheme.SUBMISSION_SET_AUTHOR
        break_slot(classification(obj, author).slots, row, aspect)
    else:
        table = {CODES: break_code, AUTHORS: break_author, IDENTIFIERS: break_identifier}
        table.update({TITLES: break_title, LIMITED_METADATA: break_marker})
        next(function for rows, function in table.items() if row in rows)(obj, row, aspect)


ATTRIBUTES = {
    f"{KIND_NAMES[row.kind]}.{row.name}": row
    for table in (SLOTS, CODES, AUTHORS, AUTHOR_SLOTS, IDENTIFIERS, TITLES, LIMITED_METADATA)
    for row in table
}


# --------------------------------------------------------------------------- objects and structure, one by one


def entry_of(submission: Submission) -> RegistryObject:
    return named(submission, "Document01")


def rename(old: str, new: str) -> Break:
    """Give an object another id, and everything that refers to it too."""

    def apply(submission: Submission) -> None:
        for obj in submission.objects:
            for name in ("id", "source", "target"):
                if getattr(obj, name) == old:
                    setattr(obj, name, new)
            for c in obj.classifications:
                c.classified_object = new if c.classified_object == old else c.classified_object
            for e in obj.external_identifiers:
                e.registry_object = new if e.registry_object == old else e.registry_object

    return apply


def nameless(id: str) -> Break:
    """Take an object's id away, and with it all that refers to it."""

    def apply(submission: Submission) -> None:
        rename(id, "")(submission)
        gone = {o.id for o in submission.associations if "" in (o.source, o.target)}
        submission.objects = [o for o in submission.objects if o.id not in gone and o.target not in gone]

    return apply


def setting(id: str, **values: object) -> Break:
    def apply(submission: Submission) -> None:
        for name, value in values.items():
            setattr(named(submission, id), name, value)

    return apply


def slot(id: str, name: str, *values: str) -> Break:
    return lambda submission: named(submission, id).slots.update({name: list(values)})


def classified(id: str, new: Classification) -> Break:
    return lambda submission: named(submission, id).classifications.append(new)


def without_association(source: str, target: str) -> Break:
    return lambda submission: without(submission, hm(submission, source, target))


def status(source: str, target: str, *values: str) -> Break:
    def apply(submission: Submission) -> None:
        slots = hm(submission, source, target).slots
        slots.pop(SlotName.SUBMISSION_SET_STATUS, None)
        if values:
            slots[SlotName.SUBMISSION_SET_STATUS] = list(values)

    return apply


def linked(kind: str, source: str, target: str, status: str = "") -> Break:
    slots = {SlotName.SUBMISSION_SET_STATUS.value: [status]} if status else {}
    link = RegistryObject(
        ObjectKind.ASSOCIATION, "Link", "Association", association_type=kind, source=source, target=target, slots=slots
    )
    return lambda submission: submission.objects.append(link)


def only_the_submission_set(submission: Submission) -> None:
    submission.objects = submission.submission_sets


def second_set(submission: Submission) -> None:
    second = deepcopy(named(submission, "SubmissionSet01"))
    submission.objects.append(second)
    rename_one(second, "SubmissionSet02")


def rename_one(obj: RegistryObject, id: str) -> None:
    obj.id = id
    for n, c in enumerate(obj.classifications):
        c.classified_object, c.id = id, f"{id}-c{n}"
    for n, e in enumerate(obj.external_identifiers):
        e.registry_object, e.id = id, f"{id}-e{n}"
        if e.scheme in (IdScheme.SUBMISSION_SET_UNIQUE_ID, IdScheme.FOLDER_UNIQUE_ID):
            e.value += ".2"


def unmarked_package(submission: Submission) -> None:
    submission.objects.append(RegistryObject(ObjectKind.UNKNOWN, "Package", "RegistryPackage"))


def loose_classification(submission: Submission) -> None:
    submission.objects.append(RegistryObject(ObjectKind.UNKNOWN, "Loose", "Classification"))


def twice_the_same_id(submission: Submission) -> None:
    submission.objects.append(deepcopy(named(submission, "Signature")))


def twice_the_same_lid(submission: Submission) -> None:
    for id in ("Document01", "Folder01"):
        setting(id, lid=REGISTERED)(submission)


def twice_the_same_unique_id(submission: Submission) -> None:
    entry = identifier(entry_of(submission), IdScheme.DOCUMENT_ENTRY_UNIQUE_ID)
    entry.value = named(submission, "Folder01").unique_id or ""


def another_patient(submission: Submission) -> None:
    identifier(named(submission, "Folder01"), IdScheme.FOLDER_PATIENT_ID).value = OTHER_PATIENT


def second_membership_of_the_folder(submission: Submission) -> None:
    linked(AssociationType.HAS_MEMBER, "SubmissionSet01", "Folder01")(submission)


HAS_MEMBER = AssociationType.HAS_MEMBER.value
RPLC = AssociationType.RPLC.value
XFRM = AssociationType.XFRM.value
SNAPSHOT = AssociationType.IS_SNAPSHOT_OF.value
STATUS = "Association.submissionSetStatus: "


def documented(id: str) -> Break:
    return classified(id, CODE.to_classification(Scheme.ASSOCIATION_DOCUMENTATION, id))


OTHERS: dict[str, Break] = {
    "DocumentEntry.objectType: form": setting("Document01", object_type=DocumentEntryType.ON_DEMAND.value),
    "DocumentEntry.mimeType: form": setting("Document01", mime_type="xml"),
    "DocumentEntry.mimeType: length": setting("Document01", mime_type="text/" + "x" * 252),
    "DocumentEntry.mimeType: in domain": setting("Document01", mime_type="image/goofy"),
    "DocumentEntry.serviceStopTime: order": slot("Document01", "serviceStopTime", "20260831235959"),
    "DocumentEntry.URI: parts": slot("Document01", "URI", "1|http://a", "b"),
    "Submission: one SubmissionSet": second_set,
    "Submission: content": only_the_submission_set,
    "Submission: known objects": loose_classification,
    "RegistryPackage: classified": unmarked_package,
    "Submission: ids unique": twice_the_same_id,
    "Submission: lids unique": twice_the_same_lid,
    "Submission: ids of Classifications and ExternalIdentifiers unique": lambda s: setattr(
        entry_of(s).classifications[0], "id", entry_of(s).classifications[1].id
    ),
    "Submission: uniqueIds unique": twice_the_same_unique_id,
    "Submission: one patient": another_patient,
    "DocumentEntry: submitted": without_association("SubmissionSet01", "Document01"),
    "Folder: submitted": second_membership_of_the_folder,
    "Association: submitted": without_association("SubmissionSet01", "Membership"),
    "Association: type": setting("Signature", association_type="urn:ihe:iti:2007:AssociationType:APND_TXFM"),
    "Association: source required": setting("Signature", source=None),
    "Association: target required": setting("Signature", target=""),
    "Association: ends differ": setting("Signature", target="Document01"),
    "Association: symbol resolves": setting("Signature", target="Document02"),
    "Association: reference form": setting("Signature", target=REGISTERED.upper().replace("URN:UUID", "urn:uuid")),
    "Association: SubmissionSet is no target": setting("Signature", target="SubmissionSet01"),
    "Association: HasMember source": linked(HAS_MEMBER, "Document01", "Folder01"),
    "Association: Folder content": linked(HAS_MEMBER, "Folder01", "Replacement"),
    "Association: SubmissionSet content": linked(HAS_MEMBER, "SubmissionSet01", "Replacement"),
    STATUS + "required": status("SubmissionSet01", "Document01"),
    STATUS + "Original": linked(HAS_MEMBER, "SubmissionSet01", REGISTERED, "Original"),
    STATUS + "Reference": status("SubmissionSet01", "Document01", "Reference"),
    STATUS + "unused": status("Folder01", "Document01", "Original"),
    "Association: relationship source": setting("Signature", source=REGISTERED),
    "Association: relationship source kind": setting("Signature", source="Folder01"),
    "Association: relationship target kind": setting("Signature", target="Folder01"),
    "Association: relationship target": linked(RPLC, "Document01", "Document02"),
    "Association: snapshot source": setting("Signature", association_type=SNAPSHOT),
    "Association: documentation": documented("Membership"),
    "Association: documentation unused": documented("Signature"),
}
EVERY_KIND: dict[str, Callable[[str], Break]] = {
    "id required": nameless,
    "id form": lambda id: rename(id, REGISTERED.upper().replace("URN:UUID", "urn:uuid")),
    "extra Slot name": lambda id: slot(id, "ward", "3"),
    "extra Slot name length": lambda id: slot(id, "urn:" + "x" * 253, "3"),
    "Slot repeated": lambda id: setting(id, repeated_slots=["urn:example:ward"]),
    "extra Slot of IHE": lambda id: slot(id, "urn:ihe:iti:2099:mood", "good"),
    "extra Slot length": lambda id: slot(id, "urn:example:note", "x" * 257),
    "unknown element": lambda id: setting(id, unknown=["{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}ExternalLink"]),
    "unknown attribute": lambda id: setting(id, unknown=["@userVersion"]),
    "unknown Classification": lambda id: classified(id, CODE.to_classification(REGISTERED, id)),
    "unknown ExternalIdentifier": lambda id: (
        lambda s: named(s, id).external_identifiers.append(ExternalIdentifier(REGISTERED, "x", registry_object=id))
    ),
}
OPTIONAL_SLOTS = {
    ObjectKind.DOCUMENT_ENTRY: "URI",
    ObjectKind.SUBMISSION_SET: "intendedRecipient",
    ObjectKind.FOLDER: "lastUpdateTime",
    ObjectKind.ASSOCIATION: "AssociationPropagation",
}


def second_entry(submission: Submission) -> None:
    """A second DocumentEntry, submitted as it should be."""
    second = deepcopy(entry_of(submission))
    rename_one(second, "Document02")
    identifier(second, IdScheme.DOCUMENT_ENTRY_UNIQUE_ID).value = "1.2.3.4.5"
    submission.objects.append(second)
    member = deepcopy(hm(submission, "SubmissionSet01", "Document01"))
    member.id, member.target = "Member02", "Document02"
    submission.objects.append(member)


def breaking(rule: Rule) -> tuple[Submission, Profile]:
    """A submission that breaks this rule alone."""
    subject, _, aspect = rule.name.partition(": ")
    row = ATTRIBUTES.get(subject)
    profile = Profile.XDS
    if row is not None and rule.name not in OTHERS:
        if aspect == "required" and row.presence[1] != "R":
            profile = Profile.LIMITED
        elif aspect == "prohibited" and row.presence[1] != "X":
            profile = Profile.ON_DEMAND
        submission = example(profile)
        break_attribute(row, aspect, submission)
        return submission, profile
    submission = example()
    if rule.name in ("Association: relationship target",):
        second_entry(submission)
    if rule.name == "Association: snapshot source":
        # in an update, where an On-Demand entry may be a new version
        profile = Profile.UPDATE
        named(submission, "Document01").object_type = DocumentEntryType.ON_DEMAND
        for name in ("creationTime", "hash", "size"):
            del named(submission, "Document01").slots[name]
    if rule.name in OTHERS:
        OTHERS[rule.name](submission)
    elif aspect == "Slot empty":
        assert rule.kind is not None
        slot(IDS[rule.kind], OPTIONAL_SLOTS[rule.kind], "")(submission)
    else:
        assert rule.kind is not None
        id = "Signature" if rule.kind is ObjectKind.ASSOCIATION else IDS[rule.kind]
        EVERY_KIND[aspect](id)(submission)
    return submission, profile
