"""Break one rule at a time, in a copy, and see a test fail for each.

    python -m tests.evidence.mutation [--only TEXT]

A mutation is a file, a text in it and what stands there instead. The copy gets one of them at a time, the tests that
cover the file are run until the first failure, and the mutation must not survive.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Queue

from tests.evidence.server import REPOSITORY_ROOT, commit, machine

COPIES = 2  # as many mutations are tried at a time
UNBROKEN = "nothing is broken"
REGISTRY = ("tests/xds/registry", "tests/model")
REPOSITORY = ("tests/xds/repository",)
RULES = ("tests/xds/metadata",)
STORES = (
    "tests/xds/stores/test_transaction.py",
    "tests/xds/stores/test_reader.py",
    "tests/xds/stores/test_patterns.py",
)
DISK = ("tests/xds/stores/test_documents.py", "tests/xds/stores/test_sqlite.py")
EBXML = ("tests/xds/ebxml",)
# what fails should fail for the rule, not for a race that the rule has a part in
PYTEST = ("-q", "-x", "-p", "no:cacheprovider", "--ignore", "tests/xds/registry/test_concurrency.py")


@dataclass(frozen=True)
class Mutation:
    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "a replaced entry takes its addenda and transformations along",
        "xds/registry/lifecycle.py",
        "_CASCADING: Final = (AssociationType.APND.value, AssociationType.XFRM.value)",
        "_CASCADING: Final = (AssociationType.APND.value,)",
        REGISTRY,
    ),
    Mutation(
        "a replacement joins the folders of the original",
        "xds/registry/lifecycle.py",
        "    return sorted(wanted - present)",
        "    return []",
        REGISTRY,
    ),
    Mutation(
        "a folder that gains an entry moves its lastUpdateTime",
        "xds/registry/lifecycle.py",
        "        transaction.touch_folders(sorted(touched), now)",
        "        pass",
        REGISTRY,
    ),
    Mutation(
        "nothing is related to a deprecated entry",
        "xds/registry/lifecycle.py",
        'yield _error(ErrorCode.REGISTRY_DEPRECATED_DOCUMENT, reference, "is Deprecated")',
        "pass",
        REGISTRY,
    ),
    Mutation(
        "an addendum is not made to a transformation",
        "xds/registry/lifecycle.py",
        "            if reference.object_id in transformed:",
        "            if not transformed:",
        REGISTRY,
    ),
    Mutation(
        "a submission for an unknown patient is refused",
        "xds/registry/submit.py",
        "create=plan.create_patient)",
        "create=True)",
        REGISTRY,
    ),
    Mutation(
        "an identifier of another authority is no patient of the domain",
        "xds/registry/submit.py",
        "or patient_id.endswith(suffix):",
        "or True:",
        REGISTRY,
    ),
    Mutation(
        "the upper end of a range is exclusive",
        "xds/registry/criteria.py",
        "kind is Kind.TIME_TO and attribute in _INCLUSIVE:",
        "kind is Kind.TIME_TO:",
        REGISTRY,
    ),
    Mutation(
        "LeafClass answers hold one patient",
        "xds/registry/queries.py",
        "    if len(patients) > 1:",
        "    if len(patients) > 2:",
        REGISTRY,
    ),
    Mutation(
        "queries return Stable entries when they do not say",
        "xds/registry/criteria.py",
        "or (DocumentEntryType.STABLE,)",
        "or _ALL_ENTRY_TYPES",
        REGISTRY,
    ),
    Mutation(
        "associations in a set's contents have both ends in the answer",
        "xds/registry/queries.py",
        "if a.kind is _AS and a.source in ids and a.target in ids]",
        "if a.kind is _AS]",
        REGISTRY,
    ),
    Mutation(
        "a repeated slot of a parameter without AND is an error",
        "xds/registry/parameters.py",
        "if len(groups) > 1 and not row.by_name[name].repeats:",
        "if False:",
        REGISTRY,
    ),
    Mutation(
        "a SubmissionSet's uniqueId is used once",
        "xds/metadata/identity.py",
        "return [RegistryError(ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, text, location)]",
        "return []",
        ("tests/xds/stores/test_transaction.py", *REGISTRY),
    ),
    Mutation(
        "one uniqueId means one size",
        "xds/metadata/identity.py",
        "errors.append(RegistryError(ErrorCode.NON_IDENTICAL_SIZE, unique_id, location))",
        "pass",
        ("tests/xds/stores/test_transaction.py", *REGISTRY),
    ),
    Mutation(
        "submitted hashes are compared ignoring case",
        "xds/repository/documents.py",
        "submitted_hash.strip().lower() != staged.hash",
        "submitted_hash.strip() != staged.hash",
        REPOSITORY,
    ),
    Mutation(
        "an entry without its document is refused",
        "xds/repository/documents.py",
        "elif entry.id not in provided.documents:",
        "elif not provided.documents and entry.id not in provided.documents:",
        REPOSITORY,
    ),
    Mutation(
        "a document without its entry is refused",
        "xds/repository/documents.py",
        "        if document_id not in ids:",
        "        if document_id not in ids and not ids:",
        REPOSITORY,
    ),
    Mutation(
        "damaged bytes never look like a whole document",
        "xds/repository/documents.py",
        "if length != self.size or digest.hexdigest() != self.hash:",
        "if length != self.size:",
        REPOSITORY,
    ),
    Mutation(
        "a replacement joins a folder once",
        "xds/registry/lifecycle.py",
        "    return sorted(wanted - present)",
        "    return sorted(wanted)",
        REGISTRY,
    ),
    Mutation(
        "a folder of another patient stands against a replacement",
        "xds/registry/lifecycle.py",
        "            if holder.patient_id != patient.identifier:",
        "            if not holder.patient_id:",
        REGISTRY,
    ),
    Mutation(
        "what replaces an entry is not deprecated with it",
        "xds/registry/lifecycle.py",
        "frontier = chained - deprecated - survivors",
        "frontier = chained - deprecated",
        REGISTRY,
    ),
    Mutation(
        "folder and content are one patient's",
        "xds/registry/lifecycle.py",
        "if reference.role is not Role.MEMBER and other is not None and target.patient_id != other:",
        "if reference.role is Role.TARGET and other is not None and target.patient_id != other:",
        REGISTRY,
    ),
    Mutation(
        "a set may refer to the entry of another patient",
        "xds/registry/lifecycle.py",
        "if reference.role is not Role.MEMBER and other is not None",
        "if other is not None",
        REGISTRY,
    ),
    Mutation(
        "a subsumed patient is unknown to submissions",
        "xds/registry/submit.py",
        "if patient is None or not patient.active:",
        "if patient is None:",
        REGISTRY,
    ),
    Mutation(
        "a subsumed patient's identifier finds nothing",
        "xds/registry/queries.py",
        "if record is not None and record.active:",
        "if record is not None:",
        REGISTRY,
    ),
    Mutation(
        "a repeated slot of a code parameter is an AND",
        "xds/registry/criteria.py",
        "extend(_each(attribute, groups))",
        "extend(_each(attribute, groups[:1]))",
        REGISTRY,
    ),
    Mutation(
        "a confidentialityCode that is asked for twice is an AND in a set's contents too",
        "xds/registry/queries.py",
        'arguments.groups.get("$XDSDocumentEntryConfidentialityCode", ())',
        'arguments.groups.get("$XDSDocumentEntryConfidentialityCode", ())[:1]',
        REGISTRY,
    ),
    Mutation(
        "a set's contents hold no HasMember to what was filtered out",
        "xds/registry/queries.py",
        "return [*sets, *chosen, *(m for m in members if m.target in ids), *joins]",
        "return [*sets, *chosen, *members, *joins]",
        REGISTRY,
    ),
    Mutation(
        "an object without the time is within every range",
        "xds/stores/find.py",
        "return sa.or_(column.is_(None), sa.and_(*bounds))",
        "return sa.and_(*bounds)",
        (*STORES, *REGISTRY),
    ),
    Mutation(
        "_ in a pattern is one character",
        "xds/stores/patterns.py",
        're.escape(piece).replace("_", ".")',
        "re.escape(piece)",
        (*STORES, *REGISTRY),
    ),
    Mutation(
        "lastUpdateTime moves for a second change in one second",
        "xds/stores/transaction.py",
        "if previous is None or now > previous:",
        "if previous is None or now >= previous:",
        (*STORES, *REGISTRY),
    ),
    Mutation(
        "one uniqueId means one content",
        "xds/metadata/identity.py",
        "    if wanted[1] != held[1]:",
        "    if wanted[1] is None:",
        (*STORES, *REGISTRY),
    ),
    Mutation(
        "a document of other bytes is not taken for the stored one",
        "xds/stores/transaction.py",
        "        if hash_ != staged.hash:",
        "        if not hash_:",
        (*STORES, *REPOSITORY),
    ),
    Mutation(
        "staged bytes of a request that is wrong are discarded",
        "xds/repository/actor.py",
        "            self._discard(provided.documents.values())\n",
        "            pass\n",
        REPOSITORY,
    ),
    Mutation(
        "staged bytes of a submission the registry refuses are discarded",
        "xds/repository/actor.py",
        "            self.store.discard(document.staged, in_doubt=not isinstance(error, RequestRejected))",
        "            pass",
        REPOSITORY,
    ),
    Mutation(
        "a submitted size that is not the document's is refused",
        "xds/repository/documents.py",
        "if submitted_size and submitted_size.strip() != str(staged.size):",
        "if submitted_size and not submitted_size.strip():",
        REPOSITORY,
    ),
    Mutation(
        "documents of another repository are not delivered",
        "xds/repository/actor.py",
        "            if request.repository_unique_id != self.unique_id:\n",
        "            if not request.repository_unique_id:\n",
        REPOSITORY,
    ),
    Mutation(
        "some documents and some errors are a PartialSuccess",
        "xds/repository/actor.py",
        "return ResponseStatus.PARTIAL_SUCCESS if self.documents else",
        "return ResponseStatus.SUCCESS if self.documents else",
        REPOSITORY,
    ),
    Mutation(
        "the objects of a submission are one patient's",
        "xds/metadata/rules/structure.py",
        "        if other != patient and other and patient and",
        "        if other != patient and other and not patient and",
        RULES,
    ),
    Mutation(
        "a new entry is no Reference of its set",
        "xds/metadata/rules/structure.py",
        'elif target is not None and status[0] == "Reference":',
        'elif target is not None and status[0] == "reference":',
        RULES,
    ),
    Mutation(
        "every new object is a member of the set",
        "xds/metadata/rules/structure.py",
        "        fewest = 0 if self.broken else 1",
        "        fewest = 0",
        RULES,
    ),
    Mutation(
        "a uniqueId stands once in a submission",
        "xds/metadata/rules/structure.py",
        "            seen.add(unique_id)\n",
        "            seen.discard(unique_id)\n",
        RULES,
    ),
    Mutation(
        "a service that stops in the instant it starts is in order",
        "xds/metadata/rules/objects.py",
        "last is not None and last < first:",
        "last is not None and last <= first:",
        RULES,
    ),
    Mutation(
        "a stop time of low precision stands for its whole span",
        "xds/metadata/rules/objects.py",
        "dtm_latest(stop[0])",
        "dtm_number(stop[0])",
        RULES,
    ),
    Mutation(
        "a code has exactly one codingScheme",
        "xds/metadata/rules/objects.py",
        "if schemes is None or len(schemes) != 1 or not schemes[0]:",
        "if schemes is None or not schemes[0]:",
        RULES,
    ),
    Mutation(
        "an author is somebody that can be named or reached",
        "xds/metadata/rules/objects.py",
        '        report.add(checks.rules["contact"], obj)',
        "        pass",
        RULES,
    ),
    Mutation(
        "UUIDs are read in any case",
        "xds/ebxml/rim.py",
        'return value.lower() if value[:9].lower() == "urn:uuid:" else value',
        "return value",
        EBXML,
    ),
    Mutation(
        "a package is not a set and a folder at once",
        "xds/ebxml/rim.py",
        "_PACKAGE_KINDS.get((Node.SUBMISSION_SET in nodes, Node.FOLDER in nodes), ",
        "_PACKAGE_KINDS.get((Node.SUBMISSION_SET in nodes, Node.SUBMISSION_SET not in nodes), ",
        EBXML,
    ),
    Mutation(
        "an error of no known severity is an error",
        "xds/ebxml/rs.py",
        "_SEVERITIES.get(severity, Severity.ERROR)",
        "_SEVERITIES.get(severity, Severity.WARNING)",
        EBXML,
    ),
    Mutation(
        "one error among warnings makes the highest severity Error",
        "xds/ebxml/rs.py",
        "Severity.ERROR if any(",
        "Severity.ERROR if all(",
        EBXML,
    ),
    Mutation(
        "a stored reference to a folder's time is the column's",
        "xds/ebxml/fragments.py",
        'content.replace(b"\\7", _last_update_time(stored.last_update_time))',
        'content.replace(b"\\7", b"")',
        EBXML,
    ),
    Mutation(
        "a document whose fsync failed is refused",
        "xds/stores/documents.py",
        "        os.fsync(file.fileno())\n        file.close()",
        "        with contextlib.suppress(OSError):\n            os.fsync(file.fileno())\n        file.close()",
        DISK,
    ),
    Mutation(
        "a document whose name could not be synced is refused",
        "xds/stores/documents.py",
        "        sync_directory(os.path.dirname(absolute))",
        "        with contextlib.suppress(OSError):\n            sync_directory(os.path.dirname(absolute))",
        DISK,
    ),
    Mutation(
        "a directory is synced before the first document of a process in it",
        "xds/stores/documents.py",
        "                sync_directory(self.folder)\n                self._made",
        "                self._made",
        DISK,
    ),
    Mutation(
        "a file of a living process is not swept",
        "xds/stores/documents.py",
        "known[owner] = owner == self.owner or (",
        "known[owner] = owner == self.owner or False and (",
        DISK,
    ),
    Mutation(
        "a COMMIT that failed acknowledges nothing",
        "xds/stores/sqlite.py",
        "            if not self._happened(number, error):\n                raise GroupLost from error",
        "            self._happened(number, error)",
        DISK,
    ),
    Mutation(
        "what a dead process left in the WAL is synced before new work",
        "xds/stores/sqlite.py",
        "        self._checkpoint.copy()",
        "        pass",
        DISK,
    ),
    Mutation(
        "files of a submission in doubt stay",
        "xds/repository/actor.py",
        "in_doubt=not isinstance(error, RequestRejected)",
        "in_doubt=False",
        REPOSITORY,
    ),
    Mutation(
        "a clock that is set forward makes nothing old that is under way",
        "xds/repository/doubts.py",
        '    if boot and note.get("boot") == boot:',
        "    if not boot:",
        REPOSITORY,
    ),
)


def killer(mutation: Mutation, copy: Path) -> str | None:
    """The first test that fails with the mutation; None when it survives."""
    file = copy / mutation.file
    text = file.read_text()
    if text.count(mutation.old) != 1:
        raise RuntimeError(f"{mutation.file} does not hold this once: {mutation.old}")
    file.write_text(text.replace(mutation.old, mutation.new))
    try:
        # the copy's own packages, whatever is installed
        environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'adapters'}", "XDS_SEQUENCES": "60"}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", *PYTEST, *mutation.tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        file.write_text(text)
    if done.returncode == 0:
        return None
    # a test that fails, or its fixture, and not a module that cannot be imported any more
    failed = re.search(r"^(?:FAILED|ERROR) (tests/\S+?\.py)::(\w+)", done.stdout, re.MULTILINE)
    if failed is None:
        raise RuntimeError(f"{mutation.rule}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return f"{failed[1].removeprefix('tests/')}: {failed[2].removeprefix('test_').replace('_', ' ')}"


def copy_checkout(target: Path) -> Path:
    left_out = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache")
    return Path(shutil.copytree(REPOSITORY_ROOT, target, ignore=left_out))


def try_out(copies: Queue[Path], mutation: Mutation) -> str | None:
    copy = copies.get()
    try:
        noticed = killer(mutation, copy)
    finally:
        copies.put(copy)
    print(f"{mutation.rule}: {noticed or ('fine' if mutation.rule == UNBROKEN else 'SURVIVES')}", flush=True)
    return noticed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", metavar="TEXT", default="", help="mutations whose rule or file holds this")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if options.only in m.rule or options.only in m.file]
    at = commit()  # others may commit while this runs
    used = tuple(dict.fromkeys(path for mutation in chosen for path in mutation.tests))
    unbroken = Mutation(UNBROKEN, "README.md", "# ihe-xds", "# ihe-xds", used)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(COPIES) as pool:
        copies = Queue[Path]()
        for number in range(COPIES):
            copies.put(copy_checkout(Path(folder) / str(number)))
        noticed = list(pool.map(partial(try_out, copies), (unbroken, *chosen)))
    if noticed[0]:
        raise RuntimeError(f"fails without a mutation: {noticed[0]}")
    rows = list(zip(chosen, noticed[1:], strict=True))
    text = (
        f"# Rules broken one at a time\n\n{datetime.now(UTC):%Y-%m-%d}, commit {at}, {machine()}\n\n"
        "`python -m tests.evidence.mutation`\n\n| rule that was broken | in | first test that fails |\n|---|---|---|\n"
        + "".join(f"| {m.rule} | `{m.file}` | {noticed or '**none**'} |\n" for m, noticed in rows)
        + f"\n{sum(noticed is not None for _, noticed in rows)} of {len(rows)} are noticed.\n"
    )
    print(text)
    if options.report:
        options.report.write_text(text)
    return int(any(noticed is None for _, noticed in rows))


if __name__ == "__main__":
    sys.exit(main())
