from __future__ import annotations

from dataclasses import fields

from hypothesis import given

from tests.xds.metadata.examples import FOLDER
from tests.xds.metadata.strategies import folders
from xds.metadata.folder import Folder
from xds.vocab.ebrim import ObjectKind


@given(folders)
def test_what_is_written_reads_back_the_same(value: Folder) -> None:
    obj = value.to_object()
    again = Folder.from_object(obj)
    assert again == value
    assert again.to_object() == obj


def test_every_attribute_goes_there_and_back() -> None:
    obj = FOLDER.to_object()
    assert obj.kind is ObjectKind.FOLDER
    again = Folder.from_object(obj)
    for field in fields(Folder):
        assert getattr(again, field.name) == getattr(FOLDER, field.name), field.name


def test_values_can_be_members_of_sets() -> None:
    assert len({FOLDER, Folder.from_object(FOLDER.to_object())}) == 1
