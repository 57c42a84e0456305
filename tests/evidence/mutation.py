"""Break one rule at a time, in a copy, and see a test fail for each.

    python -m tests.evidence.mutation [--only N]

A mutation is a file, a text in it and what stands there instead. The copy gets one of them at a time, the tests that
cover the file are run until the first failure, and the mutation must not survive.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence.server import REPOSITORY_ROOT, commit, machine

REGISTRY = ("tests/xds/registry", "tests/model")
REPOSITORY = ("tests/xds/repository",)
RULES = ("tests/xds/metadata",)


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
)


def survives(mutation: Mutation, copy: Path) -> bool:
    file = copy / mutation.file
    text = file.read_text()
    if text.count(mutation.old) != 1:
        raise RuntimeError(f"{mutation.file} does not hold this once: {mutation.old}")
    file.write_text(text.replace(mutation.old, mutation.new))
    try:
        # the copy's own packages, whatever is installed
        environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'adapters'}", "XDS_SEQUENCES": "60"}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-n", "2", "-p", "no:cacheprovider", *mutation.tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        file.write_text(text)
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", type=int)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    chosen = MUTATIONS if options.only is None else MUTATIONS[options.only : options.only + 1]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(
            REPOSITORY_ROOT,
            copy,
            ignore=shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache"),
        )
        if survives(Mutation("nothing is broken", "README.md", "# ihe-xds", "# ihe-xds", REGISTRY), copy) is False:
            raise RuntimeError("the tests fail without a mutation")
        for mutation in chosen:
            alive = survives(mutation, copy)
            rows.append((mutation, alive))
            print("SURVIVES" if alive else "killed", mutation.rule, flush=True)
    text = (
        f"# Rules broken one at a time\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.mutation`\n\n| rule that was broken | in | tests |\n|---|---|---|\n"
        + "".join(f"| {m.rule} | `{m.file}` | {'**pass**' if alive else 'fail'} |\n" for m, alive in rows)
        + f"\n{sum(not alive for _, alive in rows)} of {len(rows)} are noticed.\n"
    )
    print(text)
    if options.report:
        options.report.write_text(text)
    return int(any(alive for _, alive in rows))


if __name__ == "__main__":
    sys.exit(main())
