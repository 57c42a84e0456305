"""The first tables: patients, directory, registry objects, documents, journal.

A migration is a record of the past: it describes the tables as they were made, and does not change with ``schema``.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text() -> Any:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _key() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _object_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("patient", sa.BigInteger, nullable=False),
        sa.Column("entry_uuid", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("lid", sa.LargeBinary, nullable=False),
    ]


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    _patients()
    _directory()
    _document_entries()
    _packages()
    _associations()
    _documents()
    store_state = op.create_table(
        "store_state",
        sa.Column("name", _text(), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="store_state_pkey"),
        sqlite_with_rowid=False,
    )
    numbers = {"group": 0, "identity": secrets.randbits(62)}
    op.bulk_insert(store_state, [{"name": name, "number": number} for name, number in numbers.items()])
    if op.get_bind().dialect.name == "postgresql":
        # both are compressed before they come here
        op.execute("ALTER TABLE document ALTER COLUMN content SET STORAGE EXTERNAL")
        for table in ("document_entry", "submission_set", "folder", "association"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN fragment SET STORAGE EXTERNAL")


def _patients() -> None:
    op.create_table(
        "patient",
        sa.Column("key", _key(), sa.Identity(), primary_key=True),
        sa.Column("identifier", _text(), nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("survivor", sa.BigInteger, nullable=True),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("identifier", name="patient_identifier"),
    )
    op.create_index("patient_survivor", "patient", ["survivor"])


def _directory() -> None:
    op.create_table(
        "directory",
        sa.Column("identifier", sa.LargeBinary, primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("patient", sa.BigInteger, nullable=False),
        sa.Column("entry_uuid", sa.LargeBinary),
        sa.Column("hash", _text()),
        sa.Column("size", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "directory_more",
        sa.Column("identifier", sa.LargeBinary, primary_key=True),
        sa.Column("entry_uuid", sa.LargeBinary, primary_key=True),
        sa.Column("patient", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _document_entries() -> None:
    op.create_table(
        "document_entry",
        *_object_columns(),
        sa.Column("unique_id", _text(), nullable=False),
        sa.Column("object_type", _text(), nullable=False),
        sa.Column("creation_time", sa.BigInteger),
        sa.Column("service_start_time", sa.BigInteger),
        sa.Column("service_stop_time", sa.BigInteger),
        sa.Column("class_code", _text()),
        sa.Column("type_code", _text()),
        sa.Column("practice_setting_code", _text()),
        sa.Column("healthcare_facility_type_code", _text()),
        sa.Column("format_code", _text()),
        sa.Column("confidentiality_codes", _text()),
        sa.Column("author_persons", _text()),
        sa.Column("author_institutions", _text()),
        sa.Column("reference_ids", _text()),
        sa.Column("title", _text()),
        sa.Column("mime_type", _text()),
        sa.Column("hash", _text()),
        sa.Column("size", sa.BigInteger),
        sa.Column("repository_unique_id", _text()),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="document_entry_pkey"),
    )
    op.create_index("document_entry_find", "document_entry", ["patient", "status", "creation_time"])
    _partial_index("document_entry_lid", "document_entry", ["patient", "lid"], "version > 1")
    op.create_table(
        "object_code",
        sa.Column("patient", sa.BigInteger, primary_key=True),
        sa.Column("entry_uuid", sa.LargeBinary, primary_key=True),
        sa.Column("attribute", sa.SmallInteger, primary_key=True),
        sa.Column("value", _text(), primary_key=True),
        sqlite_with_rowid=False,
    )


def _packages() -> None:
    op.create_table(
        "submission_set",
        *_object_columns(),
        sa.Column("unique_id", _text(), nullable=False),
        sa.Column("submission_time", sa.BigInteger),
        sa.Column("source_id", _text()),
        sa.Column("content_type_code", _text()),
        sa.Column("author_persons", _text()),
        sa.Column("author_institutions", _text()),
        sa.Column("title", _text()),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="submission_set_pkey"),
    )
    op.create_table(
        "folder",
        *_object_columns(),
        sa.Column("unique_id", _text(), nullable=False),
        sa.Column("last_update_time", sa.BigInteger),
        sa.Column("title", _text()),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="folder_pkey"),
    )
    _partial_index("folder_lid", "folder", ["patient", "lid"], "version > 1")


def _associations() -> None:
    op.create_table(
        "association",
        *_object_columns(),
        sa.Column("association_type", _text(), nullable=False),
        sa.Column("source", sa.LargeBinary, nullable=False),
        sa.Column("target", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.BigInteger, nullable=False),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="association_pkey"),
    )
    op.create_index("association_source", "association", ["patient", "source"])
    op.create_index("association_target", "association", ["patient", "target"])


def _documents() -> None:
    op.create_table(
        "document",
        sa.Column("unique_id", _text(), nullable=False),
        sa.Column("mime_type", _text(), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("hash", _text(), nullable=False),
        sa.Column("format", sa.SmallInteger, nullable=False),
        sa.Column("path", _text()),
        sa.Column("content", sa.LargeBinary),
        sa.PrimaryKeyConstraint("unique_id", name="document_pkey"),
    )
    _partial_index("document_path", "document", ["path"], "path IS NOT NULL")
    op.create_table(
        "journal",
        sa.Column("number", _key(), sa.Identity(), primary_key=True),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("key", _text(), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("kind", "key", name="journal_key"),
    )
