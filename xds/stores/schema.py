"""The tables, as SQLAlchemy Core metadata: the one description that statements are compiled from.

The database itself is made by ``migrations``; a test holds both together. What to know before reading:

* **The patient key leads.** Every index over registry objects begins with the patient, so a query costs what the
  patient has and not what the registry has, and PostgreSQL can be sharded by it. ``directory`` is the way in by id.
* **Text compares as bytes** (``COLLATE "C"`` on PostgreSQL; SQLite's default), so both databases answer alike.
* **UUIDs are 16 bytes.** ``directory.identifier`` holds entryUUIDs as a NUL and their 16 bytes, and uniqueIds as
  UTF-8: no uniqueId begins with NUL, so neither can stand in for the other.
* **Times** are numbers YYYYMMDDhhmmss: the earliest moment the DTM may mean.
* **Nothing is said twice** that is long: the fragment says it. A column that is only compared for equality has the
  first 48 bits of a SHA-256 (``rows.digest``) instead of the text; author patterns are matched on the fragments; an
  object whose lid is its own entryUUID has an empty one; a URN of the Framework is one character (``TOKENS``).
* **Codes** are ``code^^scheme``. Several values in one column are separated by U+001E, which XML cannot contain.
* **Identities** are in ``identity_schema``.
* **Fragments** stand last in their row, where SQLite reaches the columns before them without reading them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from xds.vocab.ebrim import AssociationType, DocumentEntryType

HEAD: Final = "0003"  # the newest migration; a database with one that is not known here is refused
SEPARATOR: Final = "\x1e"

metadata: Final = sa.MetaData()


class PatientState(IntEnum):
    """The numbers are stored: they never change."""

    ACTIVE = 1
    SUBSUMED = 2  # by a merge (ITI-8 A40): no new documents, ITI TF-2, 3.8.4.2.4
    ABSENT = 3  # only a merge that was undone made it known: unknown to everybody who asks


class CodeAttribute(IntEnum):
    """Multi-valued attributes that queries select on. The numbers are stored: they never change."""

    event_code = 1
    confidentiality_code = 2
    folder_code = 3
    reference_id = 4


# URNs that stand in very many rows, by the character that stands for them: none that XML can contain. The characters
# are stored: they never change. Other URNs are stored as they are.
TOKENS: Final[dict[str, str]] = {
    "\x01": DocumentEntryType.STABLE.value,
    "\x02": DocumentEntryType.ON_DEMAND.value,
    "\x03": AssociationType.HAS_MEMBER.value,
    "\x04": AssociationType.RPLC.value,
    "\x05": AssociationType.APND.value,
    "\x06": AssociationType.XFRM.value,
    "\x07": AssociationType.XFRM_RPLC.value,
    "\x08": AssociationType.SIGNS.value,
    "\x0b": AssociationType.IS_SNAPSHOT_OF.value,
    "\x0c": AssociationType.UPDATE_AVAILABILITY_STATUS.value,
    "\x0e": AssociationType.SUBMIT_ASSOCIATION.value,
}


class ContentFormat(IntEnum):
    """How ``document.content`` is kept. The numbers are stored: they never change."""

    PLAIN = 0
    ZSTD = 1
    FILE = 2  # the bytes lie in the file ``path``


def text() -> sa.types.TypeEngine[Any]:
    """Text that compares byte by byte on every database."""
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


# what SQLite keeps in six bytes and no text needs to be read back from
DIGEST: Final = sa.BigInteger()

# SQLite makes a key generate itself only when its type is exactly INTEGER (64 bits there as well)
KEY: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

patient: Final = sa.Table(
    "patient",
    metadata,
    sa.Column("key", KEY, sa.Identity(), primary_key=True),
    sa.Column("identifier", text(), nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    # After merges (A into B, B into C) the key of the last survivor, C, for both; NULL for C itself. So the merge tree
    # of C is one index read. What was merged when and why is recorded beside it by whoever merges; this column is
    # derived from that and is what an undo recomputes.
    sa.Column("survivor", sa.BigInteger, nullable=True),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("identifier", name="patient_identifier"),
    sa.Index("patient_survivor", "survivor"),
)

directory: Final = sa.Table(
    "directory",
    metadata,
    sa.Column("identifier", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("patient", sa.BigInteger, nullable=False),
    sa.Column("entry_uuid", sa.LargeBinary),  # of the holder; NULL where the identifier is an entryUUID itself
    sa.Column("hash", text()),
    sa.Column("size", sa.BigInteger),
    sqlite_with_rowid=False,
)

# the second and further DocumentEntries that share a uniqueId (same hash, same size)
directory_more: Final = sa.Table(
    "directory_more",
    metadata,
    sa.Column("identifier", sa.LargeBinary, primary_key=True),
    sa.Column("entry_uuid", sa.LargeBinary, primary_key=True),
    sa.Column("patient", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def _object_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("patient", sa.BigInteger, nullable=False),
        sa.Column("entry_uuid", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("lid", sa.LargeBinary, nullable=False),
    ]


document_entry: Final = sa.Table(
    "document_entry",
    metadata,
    *_object_columns(),
    sa.Column("unique_id", text(), nullable=False),
    sa.Column("object_type", text(), nullable=False),
    sa.Column("creation_time", sa.BigInteger),
    sa.Column("service_start_time", sa.BigInteger),
    sa.Column("service_stop_time", sa.BigInteger),
    sa.Column("class_code", DIGEST),
    sa.Column("type_code", DIGEST),
    sa.Column("practice_setting_code", DIGEST),
    sa.Column("healthcare_facility_type_code", DIGEST),
    sa.Column("format_code", text()),
    sa.Column("confidentiality_codes", text()),
    sa.Column("reference_ids", text()),
    sa.Column("title", text()),
    sa.Column("mime_type", DIGEST),
    sa.Column("repository_unique_id", DIGEST),
    sa.Column("fragment", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("patient", "entry_uuid", name="document_entry_pkey"),
    sa.Index("document_entry_find", "patient", "status", "creation_time"),
    # a first version has its own entryUUID as lid (ITI TF-3, 4.2.3.1) and is found by that
    sa.Index(
        "document_entry_lid",
        "patient",
        "lid",
        sqlite_where=sa.text("version > 1"),
        postgresql_where=sa.text("version > 1"),
    ),
)

submission_set: Final = sa.Table(
    "submission_set",
    metadata,
    *_object_columns(),
    sa.Column("unique_id", text(), nullable=False),
    sa.Column("submission_time", sa.BigInteger),
    sa.Column("source_id", DIGEST),
    sa.Column("content_type_code", DIGEST),
    sa.Column("title", text()),
    sa.Column("fragment", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("patient", "entry_uuid", name="submission_set_pkey"),
)

folder: Final = sa.Table(
    "folder",
    metadata,
    *_object_columns(),
    sa.Column("unique_id", text(), nullable=False),
    sa.Column("last_update_time", sa.BigInteger),
    sa.Column("title", text()),
    sa.Column("fragment", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("patient", "entry_uuid", name="folder_pkey"),
    sa.Index(
        "folder_lid", "patient", "lid", sqlite_where=sa.text("version > 1"), postgresql_where=sa.text("version > 1")
    ),
)

# An association lives with the patient of its submission set. Where an end belongs to another patient (an SS-DE
# Reference may), the row stands under that patient too, so that it is found from there.
association: Final = sa.Table(
    "association",
    metadata,
    *_object_columns(),
    sa.Column("association_type", text(), nullable=False),
    sa.Column("source", sa.LargeBinary, nullable=False),
    sa.Column("target", sa.LargeBinary, nullable=False),
    sa.Column("owner", sa.BigInteger, nullable=False),  # the patient of the submission set
    sa.Column("fragment", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("patient", "entry_uuid", name="association_pkey"),
    sa.Index("association_source", "patient", "source"),
    sa.Index("association_target", "patient", "target"),
)

object_code: Final = sa.Table(
    "object_code",
    metadata,
    sa.Column("patient", sa.BigInteger, primary_key=True),
    sa.Column("entry_uuid", sa.LargeBinary, primary_key=True),
    sa.Column("attribute", sa.SmallInteger, primary_key=True),
    sa.Column("value", DIGEST, primary_key=True),
    sqlite_with_rowid=False,
)

document: Final = sa.Table(
    "document",
    metadata,
    sa.Column("unique_id", text(), nullable=False),
    sa.Column("mime_type", text(), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("hash", text(), nullable=False),
    sa.Column("format", sa.SmallInteger, nullable=False),
    sa.Column("path", text()),
    sa.Column("content", sa.LargeBinary),
    sa.PrimaryKeyConstraint("unique_id", name="document_pkey"),
    sa.Index(
        "document_path",
        "path",
        sqlite_where=sa.text("path IS NOT NULL"),
        postgresql_where=sa.text("path IS NOT NULL"),
    ),
)

# what is under way outside this store, by kind and key (see ports.Transaction.write_journal); ``number`` tells the age
journal: Final = sa.Table(
    "journal",
    metadata,
    sa.Column("number", KEY, sa.Identity(), primary_key=True),
    sa.Column("kind", text(), nullable=False),
    sa.Column("key", text(), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("kind", "key", name="journal_key"),
)

# numbers the store keeps about itself: "group" counts committed groups, so that a COMMIT whose outcome is in doubt
# can be resolved by looking; "identity" is a random number that the documents folder carries as well
store_state: Final = sa.Table(
    "store_state",
    metadata,
    sa.Column("name", text(), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("name", name="store_state_pkey"),
    sqlite_with_rowid=False,
)
