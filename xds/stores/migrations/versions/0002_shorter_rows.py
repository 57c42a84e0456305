"""Rows say once what the fragment says: digests in place of texts that are only compared, tokens in place of URNs.

A migration is a record of the past: it describes the tables as they were made, and does not change with ``schema``.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DIGESTED = {
    "document_entry": (
        "class_code",
        "type_code",
        "practice_setting_code",
        "healthcare_facility_type_code",
        "mime_type",
        "repository_unique_id",
    ),
    "submission_set": ("source_id", "content_type_code"),
    "object_code": ("value",),
}
DROPPED = {
    "document_entry": ("author_persons", "author_institutions", "hash", "size"),
    "submission_set": ("author_persons", "author_institutions"),
}
TOKENS = {
    "\x01": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
    "\x02": "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",
    "\x03": "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
    "\x04": "urn:ihe:iti:2007:AssociationType:RPLC",
    "\x05": "urn:ihe:iti:2007:AssociationType:APND",
    "\x06": "urn:ihe:iti:2007:AssociationType:XFRM",
    "\x07": "urn:ihe:iti:2007:AssociationType:XFRM_RPLC",
    "\x08": "urn:ihe:iti:2007:AssociationType:signs",
    "\x0b": "urn:ihe:iti:2010:AssociationType:IsSnapshotOf",
    "\x0c": "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus",
    "\x0e": "urn:ihe:iti:2010:AssociationType:SubmitAssociation",
}


def upgrade() -> None:
    for table in ("document_entry", "submission_set", "folder", "association"):
        op.execute(f"UPDATE {table} SET lid = {_empty()} WHERE lid = entry_uuid")  # noqa: S608
    for table, column in (("document_entry", "object_type"), ("association", "association_type")):
        change = sa.text(f"UPDATE {table} SET {column} = :token WHERE {column} = :urn")  # noqa: S608
        for token, urn in TOKENS.items():
            op.execute(change.bindparams(token=token, urn=urn))
    if op.get_bind().dialect.name == "postgresql":
        _change_postgresql()
    else:
        _rebuild_sqlite()


def _empty() -> str:
    return "''::bytea" if op.get_bind().dialect.name == "postgresql" else "x''"


def _change_postgresql() -> None:
    for table, columns in DIGESTED.items():
        for column in columns:
            digest = f"('x' || left(encode(sha256(convert_to({column}, 'UTF8')), 'hex'), 12))::bit(48)::bigint"
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE bigint USING {digest}")
    for table, columns in DROPPED.items():
        for column in columns:
            op.drop_column(table, column)


# --------------------------------------------------------------------------- SQLite makes the tables anew


def _digest(text: str | None) -> int | None:
    return None if text is None else int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:6])


def _rebuild_sqlite() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.create_function("xds_digest", 1, _digest, deterministic=True)
    for table in ("document_entry", "submission_set", "object_code"):
        op.rename_table(table, f"{table}_0001")
    _create()
    for table in ("document_entry", "submission_set", "object_code"):
        names = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
        digested = DIGESTED[table]
        values = ", ".join(f"xds_digest({name})" if name in digested else name for name in names)
        op.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table}_0001")  # noqa: S608
        op.drop_table(f"{table}_0001")
    op.create_index("document_entry_find", "document_entry", ["patient", "status", "creation_time"])
    op.create_index("document_entry_lid", "document_entry", ["patient", "lid"], sqlite_where=sa.text("version > 1"))


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _object_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("patient", sa.BigInteger, nullable=False),
        sa.Column("entry_uuid", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("lid", sa.LargeBinary, nullable=False),
        sa.Column("unique_id", _text(), nullable=False),
    ]


def _create() -> None:
    op.create_table(
        "document_entry",
        *_object_columns(),
        sa.Column("object_type", _text(), nullable=False),
        sa.Column("creation_time", sa.BigInteger),
        sa.Column("service_start_time", sa.BigInteger),
        sa.Column("service_stop_time", sa.BigInteger),
        sa.Column("class_code", sa.BigInteger),
        sa.Column("type_code", sa.BigInteger),
        sa.Column("practice_setting_code", sa.BigInteger),
        sa.Column("healthcare_facility_type_code", sa.BigInteger),
        sa.Column("format_code", _text()),
        sa.Column("confidentiality_codes", _text()),
        sa.Column("reference_ids", _text()),
        sa.Column("title", _text()),
        sa.Column("mime_type", sa.BigInteger),
        sa.Column("repository_unique_id", sa.BigInteger),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="document_entry_pkey"),
    )
    op.create_table(
        "submission_set",
        *_object_columns(),
        sa.Column("submission_time", sa.BigInteger),
        sa.Column("source_id", sa.BigInteger),
        sa.Column("content_type_code", sa.BigInteger),
        sa.Column("title", _text()),
        sa.Column("fragment", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("patient", "entry_uuid", name="submission_set_pkey"),
    )
    op.create_table(
        "object_code",
        sa.Column("patient", sa.BigInteger, primary_key=True),
        sa.Column("entry_uuid", sa.LargeBinary, primary_key=True),
        sa.Column("attribute", sa.SmallInteger, primary_key=True),
        sa.Column("value", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
