"""A document source and a document consumer: send, find, retrieve.

Against running systems:  python examples/send_find_retrieve.py REGISTRY_URL REPOSITORY_URL PATIENT_ID
Without arguments it starts `xds serve` on a temporary folder and talks to that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from xds import Author, Code, DocumentConsumer, DocumentEntry, DocumentSource, SubmissionSet
from xds_soap import SoapExchange

LOINC, SNOMED = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"


def send_find_retrieve(registry: SoapExchange, repository: SoapExchange, patient: str) -> None:
    entry = DocumentEntry(
        patient_id=patient,
        source_patient_id=patient,
        title="Discharge summary",
        mime_type="text/plain",
        language_code="en-US",
        creation_time="20260312101500",
        author=Author(person="^Brandt^Ines", institutions="Hospital A"),
        class_code=Code("SUMMARIES", "1.3.6.1.4.1.19376.1.2.6.1", "Summaries"),
        type_code=Code("18842-5", LOINC, "Discharge summary"),
        format_code=Code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mimeType Sufficient"),
        confidentiality_code=Code("N", "2.16.840.1.113883.5.25", "normal"),
        healthcare_facility_type_code=Code("22232009", SNOMED, "Hospital"),
        practice_setting_code=Code("309915006", SNOMED, "Cardiology department"),
    )
    submission_set = SubmissionSet(
        patient_id=patient,
        source_id="1.3.6.1.4.1.21367.2026.10",
        content_type_code=Code("22232009", SNOMED, "Hospital"),
    )
    DocumentSource(repository).submit(submission_set, [(entry, b"Discharged on day three.\n")])

    consumer = DocumentConsumer(registry, repository)
    for found in consumer.find_documents(patient):
        with consumer.retrieve(found) as document:
            print(found.title, found.creation_time, document.mime_type, document.read())


if len(sys.argv) == 4:
    with SoapExchange(sys.argv[1]) as registry, SoapExchange(sys.argv[2]) as repository:
        send_find_retrieve(registry, repository, sys.argv[3])
else:
    data = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "xds_cli", "serve", "--data", str(data), "--patients", "any"]
    with subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["http"]
        with SoapExchange(f"{url}/registry") as registry, SoapExchange(f"{url}/repository") as repository:
            send_find_retrieve(registry, repository, "EX-1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO")
        server.terminate()
