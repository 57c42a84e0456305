"""The tables of identities, their history, and what is sent and received about them; ``schema`` has the house rules.

* An identity is found by domain and id; the domain is a number that follows from its authority (``Domain.number``).
* ``identity_fact`` is only ever added to. ``state``, ``survivor`` and ``person`` of an identity follow from it.
* Most people have one identity: their ``person`` is NULL and costs no place in its index.
* ``demographics`` stand last, where SQLite reaches the other columns without reading them.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from xds.stores.schema import DIGEST, KEY, metadata, text

identity: Final = sa.Table(
    "identity",
    metadata,
    sa.Column("key", KEY, sa.Identity(), primary_key=True),
    sa.Column("domain", DIGEST, nullable=False),
    sa.Column("id", text(), nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("announced", sa.SmallInteger, nullable=False),
    sa.Column("person", sa.BigInteger),
    sa.Column("survivor", sa.BigInteger),
    sa.Column("stamps", sa.LargeBinary),
    sa.Column("quoted", text()),
    sa.Column("demographics", sa.LargeBinary),
    sa.UniqueConstraint("domain", "id", name="identity_id"),
    sa.Index(
        "identity_person",
        "person",
        sqlite_where=sa.text("person IS NOT NULL"),
        postgresql_where=sa.text("person IS NOT NULL"),
    ),
)

# the search index: see ``xds.patients.terms``
identity_term: Final = sa.Table(
    "identity_term",
    metadata,
    sa.Column("term", text(), primary_key=True),
    sa.Column("identity", sa.BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# visits of identities, for ITI-22: ``number`` is a digest of PV1-19, 0 where there is none
identity_visit: Final = sa.Table(
    "identity_visit",
    metadata,
    sa.Column("identity", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", DIGEST, primary_key=True, autoincrement=False),
    sa.Column("began", sa.BigInteger, nullable=False),
    sa.Column("heard", sa.BigInteger, nullable=False),
    sa.Column("stamps", sa.LargeBinary, nullable=False),
    sa.Column("visit", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

identity_fact: Final = sa.Table(
    "identity_fact",
    metadata,
    sa.Column("number", KEY, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("subject", sa.BigInteger, nullable=False),
    sa.Column("other", sa.BigInteger, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("undone", sa.BigInteger),
    sa.Column("origin", text(), nullable=False),
    sa.Column("cause", text(), nullable=False),
    sa.Column("reason", text(), nullable=False),
    sa.Index("identity_fact_subject", "subject"),
    sa.Index("identity_fact_other", "other"),
    sa.Index("identity_fact_review", "number", sqlite_where=sa.text("kind = 7"), postgresql_where=sa.text("kind = 7")),
)

# authorities of identities that came without being configured
identity_domain: Final = sa.Table(
    "identity_domain",
    metadata,
    sa.Column("number", DIGEST, primary_key=True, autoincrement=False),
    sa.Column("authority", text(), nullable=False),
)

# what was received within the window in which a message is a repeat: hashes of (sender, MSH-10) and of the content
received_message: Final = sa.Table(
    "received_message",
    metadata,
    sa.Column("message", sa.BigInteger, primary_key=True),
    sa.Column("content", sa.BigInteger, primary_key=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Index("received_message_time", "time"),
    sqlite_with_rowid=False,
)

# state: 0 waits, 1 claimed, 2 given up; of each there is at most one for a consumer and an identity
outbox: Final = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", KEY, sa.Identity(), primary_key=True),
    sa.Column("consumer", text(), nullable=False),
    sa.Column("identity", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("consumer", "identity", "state", name="outbox_once"),
    sa.Index("outbox_due", "consumer", "state", "due"),
)

dead_letter: Final = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("number", KEY, sa.Identity(), primary_key=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("sender", text(), nullable=False),
    sa.Column("control_id", text(), nullable=False),
    sa.Column("reason", text(), nullable=False),
    sa.Column("settled", text(), nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
    sa.Index(
        "dead_letter_waiting",
        "sender",
        "control_id",
        sqlite_where=sa.text("settled = ''"),
        postgresql_where=sa.text("settled = ''"),
    ),
)
