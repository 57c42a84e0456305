"""What the commands about matching profiles do."""

from __future__ import annotations

from pathlib import Path

from xds.matching import Profile, ProfileError, ProfileMatcher, learn, load_profile, rewritten
from xds.matching import explain as explained
from xds.matching.rehearsal import Rehearsal
from xds.patients.records import IdentityKey
from xds.pix import PatientIdentifierCrossReferenceManager
from xds_cli.feeding import read_identifier
from xds_cli.output import print_json
from xds_cli.reading import WrongInput


def _profile(name: str) -> Profile:
    try:
        return load_profile(name)
    except ProfileError as error:
        raise WrongInput(str(error)) from None


def explain(
    manager: PatientIdentifierCrossReferenceManager,
    one: str,
    other: str,
    *,
    profile: str | None,
    domain: str,
    as_json: bool,
) -> None:
    """Print how two stored identities compare."""
    matcher = manager.policy.matcher if profile is None else ProfileMatcher(_profile(profile))
    if not isinstance(matcher, ProfileMatcher):
        raise WrongInput("--profile: the server does not match by a profile; name one")
    pair = (manager.member(read_identifier(text, domain)) for text in (one, other))
    explanation = explained(matcher, *pair)
    print(explanation.as_json() if as_json else explanation)


def dry_run(manager: PatientIdentifierCrossReferenceManager, profile: str, *, as_json: bool) -> None:
    """Announce every stored identity to a matcher in memory, and hold its people against those of the store."""
    rehearsal = Rehearsal(ProfileMatcher(_profile(profile)))
    number = 0
    for member in manager.members():
        rehearsal.announce(member)
        number += 1
    would = rehearsal.people()
    now = manager.people(would)
    joined, parted = _pairs(would, now), _pairs(now, would)
    found = {
        "identities": number,
        "people_now": len(set(now.values())),
        "people_then": len(set(would.values())),
        "joined": joined,
        "parted": parted,
        "reviews": len(rehearsal.reviews),
        "keys_capped": len(rehearsal.capped),
    }
    if as_json:
        print_json([found])
        return
    print(f"{number:,} identities: {found['people_now']:,} people now, {found['people_then']:,} with {profile}")
    print(f"{joined:,} identities would join another person, {parted:,} would leave the person they are with")
    print(f"{found['reviews']:,} pairs would wait for people, {found['keys_capped']:,} keys are too common to be used")


def _pairs(one: dict[IdentityKey, IdentityKey], other: dict[IdentityKey, IdentityKey]) -> int:
    """How many identities are with somebody in ``one`` that they are not with in ``other``."""
    parts: dict[IdentityKey, set[IdentityKey]] = {}
    for key, person in one.items():
        parts.setdefault(person, set()).add(other[key])
    return sum(len(found) - 1 for found in parts.values())


def train(manager: PatientIdentifierCrossReferenceManager, profile: str, output: Path, version: str) -> None:
    """Write the profile with the weights that the stored identities give."""
    base = _profile(profile)
    learned = learn(base, manager.members())
    if not learned.same or not learned.different:
        raise WrongInput("nothing can be learned: too few of the stored identities have numbers that label them")
    try:
        output.write_text(rewritten(base, learned, version), encoding="utf-8")
    except OSError as error:
        raise WrongInput(f"--output {output}: {error.strerror}") from None
    print(learned.report())
