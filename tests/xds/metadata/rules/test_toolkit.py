"""The metadata of the NIST XDS Toolkit's plans, as its runner builds it, when it lies beside the checkout.

What a plan submits as good must have no findings; what it submits as bad must have some, where the fault can be seen
without looking into the registry.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xds.ebxml import rim, xml
from xds.metadata.codes import CodeTable
from xds.metadata.rules import Finding, Profile, check

PROFILES = {
    "urn:ihe:iti:2007:RegisterDocumentSet-b": Profile.XDS,
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b": Profile.PROVIDE,
    "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry": Profile.ON_DEMAND,
}
# a new Folder without HasMember from its SubmissionSet, nor for what is put into it: ITI TF-3, 4.2.1.4 demands both.
# The plan belongs to the XAD-PID option and is not looked at by those who wrote the others
AGAINST_THE_FRAMEWORK = {"16103c/submit/load_two_de_fd"}
# the registry refuses these because of what it holds, the repository because of the documents
REFUSED_LATER = {
    "11994/xfrm/xfrm_rplc",
    "15806/resubmit/submit",
    "11981/submit_bad_hash/submit",
    "11981/submit_bad_size/submit",
}

Submitted = dict[str, tuple[bool, list[Finding]]]


@pytest.fixture(scope="module")
def submitted(shared: Path) -> Iterator[Submitted]:
    """Each submission of the plans: whether it is to succeed, and what we find wrong with it."""
    folder = str(shared / "conformance")
    sys.path.insert(0, folder)
    try:
        yield build(shared / "conformance")
    finally:
        sys.path.remove(folder)


def build(folder: Path) -> Submitted:
    import engine
    import kit
    import run_nist

    codes = CodeTable.load(folder / "codes.xml")
    found: Submitted = {}

    class Recorder(run_nist.DryRun):  # type: ignore[misc]  # the runner has no type information
        def record(self, run: Any, tx: Any, body: Any, attachments: Any, mtom: bool) -> None:
            super().record(run, tx, body, attachments, mtom)
            profile = PROFILES.get(tx.action)
            if profile is not None:
                name = f"{run.section.test.id}/{run.section.name}/{run.step.id}"
                element = next(xml.parse(engine.etree.tostring(body)).iter("{*}RegistryObjectList"))
                findings = check(rim.decode_list(element), profile=profile, codes=codes)
                found[name] = ("Failure" not in run.step.expected_status, findings)

    plans = kit.open_kit(str(folder / "testkit"))
    config = run_nist.Config(home_community_id="urn:oid:1.3.6.1.4.1.21367.2026.1")
    runner = engine.Engine(plans, config, None, None, None, Recorder(None))
    for test in plans.tests():
        runner.run_test(test)
    return found


def test_what_the_plans_submit_as_good_is_good(submitted: Submitted) -> None:
    refused = {
        name: [finding.to_error() for finding in findings]
        for name, (good, findings) in submitted.items()
        if good and findings and name not in AGAINST_THE_FRAMEWORK
    }
    assert refused == {}
    assert sum(good for good, _ in submitted.values()) > 100


def test_what_the_plans_submit_as_bad_is_bad(submitted: Submitted) -> None:
    passed = {name for name, (good, findings) in submitted.items() if not good and not findings}
    assert passed == REFUSED_LATER


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("11997/submit/submit", "XDSPatientIdDoesNotMatch"),
        ("11998a/creationTime/submit", "XDSRegistryMetadataError"),
        ("11998a/confidentialityCode/submit", "XDSRegistryMetadataError"),
        ("21000/submit/submissionset_update_target_self", "XDSRegistryMetadataError"),
    ],
)
def test_the_code_is_the_one_the_plan_expects(submitted: Submitted, name: str, code: str) -> None:
    good, findings = submitted[name]
    assert not good
    assert [finding.code for finding in findings] == [code]
