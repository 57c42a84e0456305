"""Documents and patients of the demo. Everybody in them is invented; the bytes are made here, the same on every run."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# HL7 v3 namespace of CDA documents
_HL7 = "urn:hl7-org:v3"
LOINC: Final = "2.16.840.1.113883.6.1"
FORMAT_CODES: Final = "1.3.6.1.4.1.19376.1.2.3"


@dataclass(frozen=True, slots=True)
class SamplePatient:
    """Somebody invented: ``id`` is the identifier in the affinity domain, ``local_id`` the hospital's own.

    ``resident_number`` is of a county that does not exist.
    """

    id: str
    local_id: str
    family: str
    given: str
    birth_date: str  # YYYYMMDD
    sex: str
    resident_number: str = ""


@dataclass(frozen=True, slots=True)
class SampleDocument:
    """A document to submit; ``codes`` are (code, scheme, name) by attribute of the DocumentEntry."""

    title: str
    mime_type: str
    language: str
    content: bytes
    type_code: tuple[str, str, str]
    format_code: tuple[str, str, str]


PATIENTS: Final = (
    SamplePatient("DEMO-1001", "A-77", "Lindqvist", "Marta", "19540317", "F"),
    SamplePatient("DEMO-1002", "A-78", "陈", "晓雨", "19881105", "F", "990001198811050020"),
    SamplePatient("DEMO-1003", "A-79", "Okafor", "Daniel", "20170621", "M"),
)


def documents() -> tuple[SampleDocument, ...]:
    """A C-CDA discharge summary, a PDF of 200 kB, and a plain text in Chinese, encoded in GB18030."""
    return (
        SampleDocument(
            "Discharge summary",
            "text/xml",
            "en-US",
            discharge_summary(PATIENTS[0]),
            ("18842-5", LOINC, "Discharge summary"),
            ("urn:hl7-org:sdwg:ccda-structuredBody:2.1", FORMAT_CODES, "C-CDA R2.1, structured body"),
        ),
        SampleDocument(
            "Echocardiogram report",
            "application/pdf",
            "en-US",
            pdf_report("Echocardiogram report", pages=96),
            ("11522-0", LOINC, "Cardiac echo study"),
            ("urn:ihe:iti:xds-sd:pdf:2008", FORMAT_CODES, "PDF"),
        ),
        SampleDocument(
            "出院小结",
            "text/plain",
            "zh-CN",
            chinese_note(PATIENTS[1]).encode("gb18030"),
            ("34133-9", LOINC, "Summarization of episode note"),
            ("urn:ihe:iti:xds-sd:text:2008", FORMAT_CODES, "Text"),
        ),
    )


# --------------------------------------------------------------------------- C-CDA


def discharge_summary(patient: SamplePatient) -> bytes:
    """A CDA R2 document in the shape of a C-CDA Discharge Summary: header, and a structured body of four sections."""
    sections = "".join(
        _section(code, title, text)
        for code, title, text in (
            (
                "8648-8",
                "Hospital course",
                "Admitted with chest pain. Troponin negative twice. Discharged on day three.",
            ),
            ("46241-6", "Admission diagnosis", "Chest pain, cause to be found."),
            (
                "10183-2",
                "Discharge medications",
                "Acetylsalicylic acid 100 mg once daily. Bisoprolol 2.5 mg once daily.",
            ),
            ("18776-5", "Plan of treatment", "Stress test within two weeks. Back at once if the pain returns at rest."),
        )
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<ClinicalDocument xmlns="{_HL7}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        '<templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>'
        '<templateId root="2.16.840.1.113883.10.20.22.1.8" extension="2015-08-01"/>'
        '<id root="1.3.6.1.4.1.21367.2026.9.1"/>'
        f'<code code="18842-5" codeSystem="{LOINC}" displayName="Discharge summary"/>'
        '<title>Discharge summary</title><effectiveTime value="20260312101500+0100"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="en-US"/>'
        f'<recordTarget><patientRole><id root="1.3.6.1.4.1.21367.2026.10" extension="{patient.local_id}"/>'
        f"<patient><name><given>{patient.given}</given><family>{patient.family}</family></name>"
        f'<administrativeGenderCode code="{patient.sex}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{patient.birth_date}"/></patient></patientRole></recordTarget>'
        '<author><time value="20260312101500+0100"/><assignedAuthor>'
        '<id root="1.3.6.1.4.1.21367.2026.11" extension="17"/>'
        "<assignedPerson><name><given>Ines</given><family>Brandt</family></name></assignedPerson>"
        "</assignedAuthor></author>"
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        '<id root="1.3.6.1.4.1.21367.2026.10"/><name>Hospital A</name>'
        "</representedCustodianOrganization></assignedCustodian></custodian>"
        f"<component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>\r\n"
    ).encode()


def _section(code: str, title: str, text: str) -> str:
    return (
        f'<component><section><code code="{code}" codeSystem="{LOINC}"/><title>{title}</title>'
        f"<text><paragraph>{text}</paragraph></text></section></component>"
    )


# --------------------------------------------------------------------------- text in Chinese


def chinese_note(patient: SamplePatient) -> str:
    """A discharge note; some of its characters contain the bytes of HL7 delimiters when encoded in GB18030."""
    return (
        f"出院小结\r\n姓名:{patient.family}{patient.given}  性别:女\r\n"
        "主诉:反复胸闷三天。\r\n"
        "诊疗经过:入院后完善心电图、心肌酶谱及超声心动图检查,未见明显异常。给予对症治疗,症状缓解。\r\n"
        "出院医嘱:低盐饮食,两周后门诊复查;如有不适,随时就诊。\r\n"
    )


# --------------------------------------------------------------------------- PDF


def pdf_report(title: str, *, pages: int) -> bytes:
    """A PDF with one page of text and, from the second page on, a trace drawn as one line per page."""
    trace = random.Random(20260312)  # noqa: S311 (a picture, not a secret)
    streams = [f"BT /F1 24 Tf 72 720 Td ({title}) Tj ET".encode()]
    for _ in range(pages - 1):
        points = " ".join(f"{x} {400 + trace.randint(-180, 180)} l" for x in range(73, 540))
        streams.append(f"0.7 w 72 400 m {points} S".encode())
    return _pdf(streams)


def _pdf(streams: Iterable[bytes]) -> bytes:
    """Pages of one content stream each (PDF 1.4: header, numbered objects, cross-reference table, trailer)."""
    pages = [zlib.compress(stream) for stream in streams]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 612 792] >>" % (kids, len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, stream in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (5 + 2 * n)
        )
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream))
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
