"""Submissions under another domain's identifier, put under the affinity domain's of the same person (DESIGN D13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from xds.metadata.registry_object import Submission
from xds.vocab.ebrim import PATIENT_ID_SCHEME

#: What is counted when it is done.
TRANSLATED: Final = "patient id translated"


def translate_patients(submission: Submission, own: Callable[[str], str]) -> bool:
    """Replace the patientId of every object by what ``own`` gives for it; whether one was replaced.

    sourcePatientId goes on saying what the patient is called at the source (ITI TF-3, 4.2.3.2.21).
    """
    replaced = False
    for made in submission.objects:
        scheme = PATIENT_ID_SCHEME.get(made.kind)
        for identifier in made.external_identifiers:
            if identifier.scheme == scheme and identifier.value:
                value = own(identifier.value)
                replaced = replaced or value != identifier.value
                identifier.value = value
    return replaced
