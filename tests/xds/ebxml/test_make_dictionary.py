"""The text that compression dictionaries are made of."""

from __future__ import annotations

import zstandard

from tests.xds.ebxml import support
from xds.ebxml import fragments
from xds.ebxml.make_dictionary import build
from xds.metadata.identity import assign_uuids
from xds.vocab.ebrim import IdScheme, Node, Scheme


def test_the_material_is_the_same_at_every_run() -> None:
    assert build() == build()


def test_what_stands_in_every_object_is_in_the_dictionary() -> None:
    material = build().decode()
    rare = {Scheme.ASSOCIATION_DOCUMENTATION}
    for urn in [*IdScheme, *(set(Scheme) - rare), Node.SUBMISSION_SET, Node.FOLDER]:
        assert urn in material
    assert '<rim:Slot name="sourcePatientInfo">' in material


def test_the_shipped_dictionary_pays() -> None:
    submission = support.submission()
    assign_uuids(submission)
    plain = zstandard.ZstdCompressor(level=6)
    for registry_object in submission.objects:
        content = fragments.render_with_holes(registry_object)
        assert len(fragments.encode(registry_object)) < 0.6 * len(plain.compress(content))
