"""What an error code means for the person who got it: the usual cause, and what to do (ITI TF-3, table 4.2.4.1-2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from xds.vocab.errors import ErrorCode as E


class Explanation(NamedTuple):
    """``cause``: what usually lies behind it. ``cure``: what the sender changes, or whom it asks."""

    cause: str
    cure: str


_UPDATE: Final = "read the object's present state from the registry, then send the change again"
_IGNORED: Final = "the recipient is no registry: nothing to do, or send to one that keeps this"

EXPLANATIONS: Final[dict[E, Explanation]] = {
    E.DOCUMENT_QUEUED: Explanation("the recipient works on the submission later", "nothing: it is a warning"),
    E.INVALID_DOCUMENT_CONTENT: Explanation(
        "the document is not what its metadata says, or its content is refused", "compare formatCode and mimeType"
    ),
    E.PARTIAL_APPEND_CONTENT_NOT_PROCESSED: Explanation("an addendum was taken as a plain document", _IGNORED),
    E.PARTIAL_FOLDER_CONTENT_NOT_PROCESSED: Explanation("folders were passed over", _IGNORED),
    E.PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED: Explanation("relationships were passed over", _IGNORED),
    E.PARTIAL_REPLACE_CONTENT_NOT_PROCESSED: Explanation("a replacement was taken as a plain document", _IGNORED),
    E.PARTIAL_TRANSFORM_NOT_PROCESSED: Explanation("a transformation was taken as a plain document", _IGNORED),
    E.PARTIAL_TRANSFORM_REPLACE_NOT_PROCESSED: Explanation("a replacement was taken as a plain document", _IGNORED),
    E.UNRESOLVED_REFERENCE: Explanation(
        "an Association names an object that is neither in the submission nor registered",
        "use the entryUUID the registry gave (ITI-18), or the same symbolic id on both sides",
    ),
    E.DOCUMENT_UNIQUE_ID: Explanation(
        "the repository has no document under this uniqueId", "take uniqueId and repositoryUniqueId from one entry"
    ),
    E.DUPLICATE_UNIQUE_ID_IN_REGISTRY: Explanation(
        "the uniqueId of a SubmissionSet or Folder is in use: often a submission sent twice",
        "look whether the first one was registered; a new submission needs a new uniqueId",
    ),
    E.EXTRA_METADATA_NOT_SAVED: Explanation("Slots that IHE does not define were dropped", "nothing: it is a warning"),
    E.MISSING_DOCUMENT: Explanation(
        "a DocumentEntry came without its Document", "give the Document the id of its ExtrinsicObject"
    ),
    E.MISSING_DOCUMENT_METADATA: Explanation(
        "a Document came without its DocumentEntry", "give the ExtrinsicObject the id of its Document"
    ),
    E.MISSING_HOME_COMMUNITY_ID: Explanation(
        "a gateway needs to know which community is meant", "send back the homeCommunityId of the query's answer"
    ),
    E.NON_IDENTICAL_HASH: Explanation(
        "the uniqueId is registered with other bytes",
        "a changed document needs a new uniqueId, and replaces the old one",
    ),
    E.NON_IDENTICAL_SIZE: Explanation(
        "the uniqueId is registered with another size",
        "a changed document needs a new uniqueId, and replaces the old one",
    ),
    E.PATIENT_ID_DOES_NOT_MATCH: Explanation(
        "objects that must belong to one patient do not", "use one patientId for the set, its entries and folders"
    ),
    E.REGISTRY_BUSY: Explanation("the registry has too much to do", "send it again a little later"),
    E.REPOSITORY_BUSY: Explanation("the repository has too much to do", "send it again a little later"),
    E.REGISTRY_DEPRECATED_DOCUMENT: Explanation(
        "an Association names an entry that was replaced meanwhile", "ask for the entry that replaced it, and name that"
    ),
    E.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE: Explanation(
        "one uniqueId stands twice in the submission", "give each object its own"
    ),
    E.REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE: Explanation(
        "one uniqueId stands twice in the submission", "give each object its own"
    ),
    E.REGISTRY_ERROR: Explanation(
        "a value in a query cannot be read, or a fault inside the registry",
        "read codeContext; without a hint there, give the time and MessageID to whoever runs the registry",
    ),
    E.REPOSITORY_ERROR: Explanation(
        "a fault inside the repository", "give the time and MessageID to whoever runs the repository"
    ),
    E.REGISTRY_METADATA_ERROR: Explanation(
        "an attribute is missing, malformed or not allowed; codeContext names object, attribute, value and section",
        "`xds validate FILE` finds all of them beforehand",
    ),
    E.REPOSITORY_METADATA_ERROR: Explanation(
        "the metadata does not fit the document: hash, size, number of SubmissionSets",
        "leave hash and size to the repository; `xds validate FILE` finds the rest",
    ),
    E.REGISTRY_NOT_AVAILABLE: Explanation(
        "the repository did not hear from its registry; the outcome is open and will be resolved",
        "ask the registry for the SubmissionSet before sending again",
    ),
    E.REGISTRY_OUT_OF_RESOURCES: Explanation("the registry is full", "call whoever runs it"),
    E.REPOSITORY_OUT_OF_RESOURCES: Explanation("the repository is full", "call whoever runs it"),
    E.REPLACE_FAILED: Explanation("an old code of other systems", "read the other errors beside it"),
    E.RESULT_NOT_SINGLE_PATIENT: Explanation(
        "the ids of a query belong to several patients", "ask for ObjectRef, or for one patient at a time"
    ),
    E.STORED_QUERY_MISSING_PARAM: Explanation(
        "a required parameter is missing, or nothing of it is left", "see [the stored queries](stored-queries.md)"
    ),
    E.STORED_QUERY_PARAM_NUMBER: Explanation(
        "several values where one is allowed, or two alternatives at once",
        "see [the stored queries](stored-queries.md)",
    ),
    E.TOO_MANY_RESULTS: Explanation(
        "more objects match than one answer may hold", "narrow the query, or ask for ObjectRef and fetch in portions"
    ),
    E.UNAVAILABLE_COMMUNITY: Explanation("another community does not answer", "ask again later"),
    E.UNKNOWN_COMMUNITY: Explanation("the homeCommunityId is not known", "compare it with the gateway's list"),
    E.UNKNOWN_PATIENT_ID: Explanation(
        "the patient was not announced, is merged into another, or the id is not of the affinity domain",
        "send ITI-8 first, with the identifier in the domain's authority",
    ),
    E.UNKNOWN_REPOSITORY_ID: Explanation(
        "the document lies in another repository", "ask the repository that the entry's repositoryUniqueId names"
    ),
    E.UNKNOWN_STORED_QUERY: Explanation(
        "no query with this id here", "see [the stored queries](stored-queries.md) for the ids"
    ),
    E.METADATA_UPDATE: Explanation("an update cannot be applied", _UPDATE),
    E.METADATA_UPDATE_OPERATION: Explanation("an update is none of the operations of ITI-57", _UPDATE),
    E.METADATA_VERSION: Explanation("somebody else changed the object first", _UPDATE),
    E.PATIENT_ID_RECONCILIATION: Explanation("an update would join objects of two patients", _UPDATE),
    E.REFERENCES_EXIST: Explanation("something still refers to the object", "remove that as well, in one request"),
    E.UNREFERENCED_OBJECT: Explanation(
        "something would be left that nothing refers to", "remove that as well, in one request"
    ),
    E.REMOVE_DOCUMENTS: Explanation("the document exists and cannot be removed", "call whoever runs the repository"),
}
