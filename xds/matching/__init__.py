"""Recognising people across hospitals: profiles, and the matcher that does what they say (DESIGN D13).

    policy = Policy(matcher=matcher_of("cn"))

``matcher_of`` is what ``--matching`` takes: ``off``, ``ids``, a shipped profile, or the path of the operator's own.
"""

from __future__ import annotations

from xds.matching.explain import Explanation, explain
from xds.matching.matcher import ProfileMatcher
from xds.matching.profile import SHIPPED, Profile, ProfileError, load_profile, parse_profile
from xds.matching.train import Learned, learn, rewritten
from xds.patients.matching import IdsMatcher, Matcher

__all__ = [
    "SHIPPED",
    "Explanation",
    "Learned",
    "Profile",
    "ProfileError",
    "ProfileMatcher",
    "explain",
    "learn",
    "load_profile",
    "matcher_of",
    "parse_profile",
    "rewritten",
]


def matcher_of(name: str) -> Matcher | None:
    """The matcher that an operator names. Raises ProfileError when the profile cannot be used."""
    if name == "off":
        return None
    return IdsMatcher() if name == "ids" else ProfileMatcher(load_profile(name))
