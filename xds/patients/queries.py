"""What can be asked about patients, and what is answered, without a trace of a message format.

Cross-references: ITI-9 (ITI TF-2 3.9). Demographics: ITI-21 and ITI-22 (3.21, 3.22).
"""

from __future__ import annotations

from dataclasses import dataclass

from xds.datatypes.hl7 import CX, HD, NOBODY
from xds.errors import XdsError
from xds.patients.demographics import Demographics
from xds.patients.visit import Visit


class UnknownIdentifier(XdsError):
    """The domain of the identifier is known, the identifier is not (ITI TF-2 3.9.4.2.2.6, case 3)."""


class UnknownDomain(XdsError):
    """No identifier domain of this name is configured.

    ``ordinals`` are the positions from 1 in the query's ``domains``; empty when that of the identifier asked about is
    meant.
    """

    def __init__(self, ordinals: tuple[int, ...] = ()) -> None:
        super().__init__("an identifier domain is not known")
        self.ordinals = ordinals

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.ordinals,))


class UnknownContinuation(XdsError):
    """The pointer of a continuation is not one that was given out, or no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossReferenceQuery:
    """Which identifiers does the patient with this one have in other domains?

    Assigning authorities may be a namespace, a universal id with its type, or all three. No ``domains``: all known.
    """

    identifier: CX
    domains: tuple[HD, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientCriteria:
    """Whom to find: all that is given must fit. Empty is not asked for.

    Texts are compared without case and accents; ``*`` at their beginning or end stands for anything. Times are
    compared at the precision given. Of ``identifiers`` every one must be the patient's; one without assigning authority
    is looked for in all domains.
    """

    identifiers: tuple[CX, ...] = ()  # PID-3
    family_name: str = ""  # PID-5.1
    given_name: str = ""  # PID-5.2
    further_given_names: str = ""  # PID-5.3
    birth_time: str = ""  # PID-7, YYYY[MM[DD[HH[MM[SS]]]]]
    sex: str = ""  # PID-8
    street: str = ""  # PID-11.1
    city: str = ""  # PID-11.3
    state: str = ""  # PID-11.4
    postal_code: str = ""  # PID-11.5
    country: str = ""  # PID-11.6
    account_number: CX = CX()  # PID-18  # noqa: RUF009 (a frozen value)
    mothers_maiden_name: str = ""  # PID-6.1, Pediatric Demographics option
    home_phone: str = ""  # PID-13, the same
    visit: Visit = Visit()  # PV1, ITI-22  # noqa: RUF009


@dataclass(frozen=True, slots=True, kw_only=True)
class DemographicsQuery:
    """Who fits the criteria, and with which identifiers (no ``domains``: all)?

    ``limit`` is how many records one answer has; None leaves it to the supplier. ``pointer`` continues an earlier
    answer of the same ``requester``.
    """

    criteria: PatientCriteria
    domains: tuple[HD, ...] = ()
    limit: int | None = None
    pointer: str = ""
    with_visits: bool = False  # ITI-22: one record per visit known
    tag: str = ""  # QPD-2, by which the requester may cancel what is kept for it
    requester: tuple[HD, HD] = (NOBODY, NOBODY)  # MSH-3 and MSH-4


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """One patient as found; ``confidence`` is between 0 and 1 where the match is more than a comparison."""

    identifiers: tuple[CX, ...]
    demographics: Demographics
    visit: Visit | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemographicsAnswer:
    """A page of records, best match first; ``total`` of the whole result; ``pointer`` to the next page, or ""."""

    records: tuple[PatientRecord, ...]
    total: int
    pointer: str = ""
