"""Stores of older versions of this library: brought up to date when they are opened, with all that they had."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.xds.stores.support import AS, DE, PATIENT, SS, association, entry, find, submission_set
from xds.datatypes.hl7 import HD
from xds.ebxml import fragments
from xds.metadata.registry_object import RegistryObject
from xds.patients.domains import number_of
from xds.patients.records import Identity
from xds.ports import Reader
from xds.stores import SqlStore, migrate
from xds.stores.rows import uuid_bytes, uuid_identifier
from xds.vocab.ebrim import AssociationType


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.sqlite'}"
    uri: str = request.getfixturevalue("postgres_uri")
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS of_an_older_version")
        connection.execute("CREATE DATABASE of_an_older_version")
    return uri.replace("/postgres?", "/of_an_older_version?").replace("postgresql://", "postgresql+psycopg://")


def old(url: str, revision: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """A database as an older version made and filled it."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, values in rows.items():
            connection.execute(sa.insert(tables.tables[name]), values)
    engine.dispose()


def common(o: RegistryObject) -> dict[str, Any]:
    uuid = uuid_bytes(o.id)
    return {
        "patient": 1,
        "entry_uuid": uuid,
        "status": 1,
        "version": 1,
        "lid": uuid,
        "fragment": fragments.encode(o),
    }


def test_rows_of_0001_are_found_as_before(empty_database: str, opened: Callable[..., SqlStore]) -> None:
    document, own_set = entry("1.2", authors=["^Wu^Tian"]), submission_set("1.1", authors=["^Lu^Jia"])
    link = association(own_set.id, document.id)
    objects = (document, own_set, link)
    entry_row = {
        "unique_id": "1.2",
        "object_type": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        "creation_time": 20260101000000,
        "class_code": "1^^s",
        "format_code": "f^^s",
        "confidentiality_codes": "N^^s",
        "author_persons": "^Wu^Tian",
        "mime_type": "text/xml",
        "hash": "0" * 40,
        "size": 5,
        "repository_unique_id": None,
    }
    old(
        empty_database,
        "0001",
        {
            "patient": [{"key": 1, "identifier": PATIENT, "state": 1, "created": 20260101000000}],
            "directory": [
                {"identifier": uuid_identifier(uuid_bytes(o.id) or b""), "kind": int(o.kind), "patient": 1}
                for o in objects
            ],
            "document_entry": [common(document) | entry_row],
            "submission_set": [
                common(own_set) | {"unique_id": "1.1", "source_id": "1.2.3", "content_type_code": "c^^s"}
            ],
            "association": [
                common(link)
                | {
                    "association_type": AssociationType.HAS_MEMBER.value,
                    "source": uuid_bytes(own_set.id),
                    "target": uuid_bytes(document.id),
                    "owner": 1,
                }
            ],
            "object_code": [
                {"patient": 1, "entry_uuid": uuid_bytes(document.id), "attribute": 2, "value": "N^^s"},
            ],
        },
    )
    store = opened(empty_database)
    (found,) = find(
        store,
        object_types=("urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",),
        one_of={"class_code": ("1^^s",), "mime_type": ("text/xml",), "format_code": ("f^^s",)},
        codes=(("confidentiality_code", ("N^^s",)),),
        author_persons=("^Wu%",),
    )
    assert (found.entry_uuid, found.lid, found.format_code) == (document.id, document.id, "f^^s")
    assert find(store, DE, one_of={"class_code": ("2^^s",)}) == []
    assert len(find(store, SS, one_of={"source_id": ("1.2.3",)}, author_persons=("%Jia",))) == 1
    (member,) = store.read(
        lambda reader: reader.associations(targets=[document.id], types=[AssociationType.HAS_MEMBER])
    )
    assert (member.kind, member.association_type) == (AS, AssociationType.HAS_MEMBER)


def test_patients_of_0002_are_identities_as_well(empty_database: str, opened: Callable[..., SqlStore]) -> None:
    names = ["P1^^^&1.2.3&ISO", "P\\T\\2^^^&1.2.3&ISO", "bare", "P1^^^NS"]
    patients = [
        {"key": n, "identifier": name, "state": 1, "created": 20260101000000} for n, name in enumerate(names, 1)
    ]
    old(empty_database, "0002", {"patient": patients})
    store = opened(empty_database)
    oid, namespace = number_of(HD.oid("1.2.3")), number_of(HD("NS"))
    for domain, id in ((oid, "P1"), (oid, "P&2"), (namespace, "P1")):
        found = store.read(partial(_identity, domain, id))
        assert found is not None
        assert found.active
        assert found.announced


def _identity(domain: int, id: str, reader: Reader) -> Identity | None:
    return reader.identity(domain, id)
