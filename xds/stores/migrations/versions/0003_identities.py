"""Identities, their history, and what is received and sent about them.

What the registry knew already becomes identities as well: an affinity domain's identifiers are known to both.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("key", _key(), sa.Identity(), primary_key=True),
        sa.Column("domain", sa.BigInteger, nullable=False),
        sa.Column("id", _text(), nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("announced", sa.SmallInteger, nullable=False),
        sa.Column("person", sa.BigInteger),
        sa.Column("survivor", sa.BigInteger),
        sa.Column("stamps", sa.LargeBinary),
        sa.Column("quoted", _text()),
        sa.Column("demographics", sa.LargeBinary),
        sa.UniqueConstraint("domain", "id", name="identity_id"),
    )
    op.create_index(
        "identity_person",
        "identity",
        ["person"],
        sqlite_where=sa.text("person IS NOT NULL"),
        postgresql_where=sa.text("person IS NOT NULL"),
    )
    op.create_table(
        "identity_term",
        sa.Column("term", _text(), primary_key=True),
        sa.Column("identity", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_visit",
        sa.Column("identity", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("heard", sa.BigInteger, nullable=False),
        sa.Column("stamps", sa.LargeBinary, nullable=False),
        sa.Column("visit", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_fact",
        sa.Column("number", _key(), sa.Identity(), primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("subject", sa.BigInteger, nullable=False),
        sa.Column("other", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("undone", sa.BigInteger),
        sa.Column("origin", _text(), nullable=False),
        sa.Column("cause", _text(), nullable=False),
        sa.Column("reason", _text(), nullable=False),
    )
    op.create_index("identity_fact_subject", "identity_fact", ["subject"])
    op.create_index("identity_fact_other", "identity_fact", ["other"])
    op.create_index(
        "identity_fact_review",
        "identity_fact",
        ["number"],
        sqlite_where=sa.text("kind = 7"),
        postgresql_where=sa.text("kind = 7"),
    )
    op.create_table(
        "identity_domain",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("authority", _text(), nullable=False),
    )
    op.create_table(
        "received_message",
        sa.Column("message", sa.BigInteger, primary_key=True),
        sa.Column("content", sa.BigInteger, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("received_message_time", "received_message", ["time"])
    op.create_table(
        "outbox",
        sa.Column("number", _key(), sa.Identity(), primary_key=True),
        sa.Column("consumer", _text(), nullable=False),
        sa.Column("identity", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("consumer", "identity", "state", name="outbox_once"),
    )
    op.create_index("outbox_due", "outbox", ["consumer", "state", "due"])
    op.create_table(
        "dead_letter",
        sa.Column("number", _key(), sa.Identity(), primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("sender", _text(), nullable=False),
        sa.Column("control_id", _text(), nullable=False),
        sa.Column("reason", _text(), nullable=False),
        sa.Column("settled", _text(), nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
    )
    waiting = sa.text("settled = ''")
    op.create_index(
        "dead_letter_waiting",
        "dead_letter",
        ["sender", "control_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    _take_over_patients()


def _take_over_patients() -> None:
    connection = op.get_bind()
    patient = sa.table("patient", *map(sa.column, ("key", "identifier")))
    insert = sa.text(
        "INSERT INTO identity (domain, id, state, announced) VALUES (:domain, :id, :state, :announced)"
        " ON CONFLICT DO NOTHING"
    )
    after = 0
    while rows := connection.execute(
        sa.select(patient.c.key, patient.c.identifier).where(patient.c.key > after).order_by(patient.c.key).limit(5000)
    ).fetchall():
        after = rows[-1][0]
        connection.execute(insert, [_identity(identifier) for _, identifier in rows])


def _identity(identifier: str) -> dict[str, object]:
    components = [*identifier.split("^"), "", "", ""]
    namespace, oid = [*components[3].split("&"), ""][:2]
    authority = f"&{oid}" if oid else namespace
    number = int.from_bytes(hashlib.sha256(authority.encode()).digest()[:6])
    return {"domain": number, "id": _unescaped(components[0]), "state": 1, "announced": 1}


def _unescaped(text: str) -> str:
    for escape, character in (("F", "|"), ("S", "^"), ("R", "~"), ("T", "&"), ("E", "\\")):
        text = text.replace(f"\\{escape}\\", character)
    return text
