"""The IHE actors that transactions connect (ITI TF-1)."""

from __future__ import annotations

from enum import StrEnum


class Actor(StrEnum):
    """An actor of the ITI profiles, by its name in the Technical Framework."""

    DOCUMENT_SOURCE = "Document Source"
    DOCUMENT_CONSUMER = "Document Consumer"
    DOCUMENT_REGISTRY = "Document Registry"
    DOCUMENT_REPOSITORY = "Document Repository"
    PATIENT_IDENTITY_SOURCE = "Patient Identity Source"
    PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER = "Patient Identifier Cross-reference Manager"
    PATIENT_IDENTIFIER_CROSS_REFERENCE_CONSUMER = "Patient Identifier Cross-reference Consumer"
    PATIENT_DEMOGRAPHICS_SUPPLIER = "Patient Demographics Supplier"
    PATIENT_DEMOGRAPHICS_CONSUMER = "Patient Demographics Consumer"
