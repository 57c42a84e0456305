"""The rules a submission must keep, as data, and the one function that reads them.

::

    findings = check(submission, profile=Profile.XDS, codes=table)
    if findings:
        raise RequestRejected.of([finding.to_error() for finding in findings])

``RULES`` is the table: code, kind of object, attribute, section. Rows marked ``tolerated`` are what real senders get
wrong without harm; they never refuse a submission, and whoever wants to know passes a list for them as ``notes``.

What needs the registry's contents (known patient, registered targets, used uniqueIds) is the Document Registry's.
"""

from __future__ import annotations

from typing import Final

from xds.metadata.codes import CodeTable
from xds.metadata.registry_object import Submission
from xds.metadata.rules.attributes import ATTRIBUTE_RULES, plan
from xds.metadata.rules.finding import Finding, Profile, Report, Rule
from xds.metadata.rules.objects import OBJECT_RULES, check_object
from xds.metadata.rules.structure import STRUCTURE_RULES, check_structure
from xds.vocab.ebrim import DocumentEntryType, ObjectKind

RULES: Final[tuple[Rule, ...]] = (*STRUCTURE_RULES, *OBJECT_RULES, *ATTRIBUTE_RULES)
_PLANS: Final = {
    profile: {kind: plan(kind, profile) for kind in ObjectKind if kind is not ObjectKind.UNKNOWN} for profile in Profile
}


def check(
    submission: Submission,
    *,
    profile: Profile = Profile.XDS,
    codes: CodeTable | None = None,
    notes: list[Finding] | None = None,
) -> list[Finding]:
    """Everything that is wrong with a submission, all at once: structure first, then object by object; 1,000 at most.

    ``codes`` limits codes and MIME types to those of the domain. What was tolerated is appended to ``notes``.
    """
    report = Report(notes)
    check_structure(submission, profile, report)
    plans = _PLANS[profile]
    for obj in submission.objects:
        if obj.kind is not ObjectKind.UNKNOWN:
            applying = plans[obj.kind]
            if profile is Profile.UPDATE and obj.object_type == DocumentEntryType.ON_DEMAND:
                applying = _PLANS[Profile.ON_DEMAND][obj.kind]  # a new version is of the type the entry always had
            check_object(obj, applying, codes, report, profile=profile)
    return report.findings


__all__ = ["RULES", "CodeTable", "Finding", "Profile", "Rule", "check"]
