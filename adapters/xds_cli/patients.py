"""What the commands about patients do: ask, print, decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from xds.clients.patients import PatientIdentitySource, PdqConsumer, PixConsumer
from xds.datatypes.hl7 import CX
from xds.patients.queries import PatientCriteria, PatientRecord, UnknownDomain, UnknownIdentifier
from xds.pix import HistoryEntry, PatientIdentifierCrossReferenceManager
from xds_cli.feeding import Wire, read_domain, read_identifier
from xds_cli.output import print_errors, print_json, print_table
from xds_cli.reading import Refused, WrongInput, explained

# --------------------------------------------------------------------------- asking a peer


def find(
    wire: Wire, texts: Mapping[str, str], ids: Sequence[str], domains: Sequence[str], *, domain: str, as_json: bool
) -> None:
    """ITI-21; raises WrongInput, Refused."""
    criteria = PatientCriteria(identifiers=tuple(read_identifier(text, domain) for text in ids), **texts)  # type: ignore[arg-type]
    if criteria == PatientCriteria():
        raise WrongInput("say something of whom to find: --family, --birth, --id, …")
    with _asked("patient find"), wire.open() as (exchange, parties):
        consumer = PdqConsumer(exchange, parties)
        with consumer.search(criteria, [read_domain(text) for text in domains], page=100) as pages:
            records = [record for page in pages for record in page.records]
    if as_json:
        print_json(map(_as_json, records))
    else:
        print_table(("name", "birth date", "sex", "address", "identifiers"), map(_as_row, records))


def _as_json(record: PatientRecord) -> dict[str, Any]:
    d = record.demographics
    return {
        "identifiers": [str(identifier) for identifier in record.identifiers],
        "names": [str(name) for name in d.names],
        "birth_time": d.birth_time,
        "sex": d.sex,
        "addresses": [str(address) for address in d.addresses],
        "phones": [str(phone) for phone in (*d.home_phones, *d.business_phones)],
        "confidence": record.confidence,
    }


def _as_row(record: PatientRecord) -> tuple[str, ...]:
    d = record.demographics
    names = dict.fromkeys(f"{n.family_name} {n.given_name}".strip() for n in d.names)
    addresses = dict.fromkeys(" ".join(part for part in (a.street, a.city) if part) for a in d.addresses)
    return (
        " / ".join(names),
        d.birth_time[:8],
        d.sex,
        " / ".join(addresses),
        "\n".join(str(identifier) for identifier in record.identifiers),
    )


def crossref(wire: Wire, text: str, domains: Sequence[str], *, domain: str, as_json: bool) -> None:
    """ITI-9; raises WrongInput, Refused."""
    identifier = read_identifier(text, domain)
    with _asked("patient crossref"), wire.open() as (exchange, parties):
        found = PixConsumer(exchange, parties).identifiers(identifier, [read_domain(text) for text in domains])
    if as_json:
        print_json({"identifier": str(other)} for other in found)
    else:
        for other in found:
            print(other)


def send_link(wire: Wire, one: str, other: str, *, domain: str, end: bool) -> None:
    """A24 or A37 of ITI-30; raises WrongInput, Refused."""
    pair = read_identifier(one, domain), read_identifier(other, domain)
    with _asked("patient unlink" if end else "patient link"), wire.open() as (exchange, parties):
        source = PatientIdentitySource(exchange, parties, management=True)
        (source.unlink if end else source.link)(*pair)


@contextmanager
def _asked(command: str) -> Iterator[None]:
    with explained(command, as_json=False):
        try:
            yield
        except UnknownIdentifier:
            print_errors(command, "the peer does not know this identifier", (), as_json=False)
            raise Refused from None
        except UnknownDomain as error:
            which = f"number {error.ordinals[0]} of --in" if error.ordinals else "that of the identifier"
            print_errors(command, f"the peer does not know a domain: {which}", (), as_json=False)
            raise Refused from None


# --------------------------------------------------------------------------- deciding


class Decision(Protocol):
    """A method of the manager about two identifiers."""

    def __call__(self, one: CX, other: CX, /, *, by: str, reason: str = "") -> int: ...


def decide(decision: Decision, one: str, other: str, *, domain: str, by: str, reason: str) -> None:
    """Merge, link, unlink; prints the number of the fact."""
    pair = read_identifier(one, domain), read_identifier(other, domain)
    print(decision(*pair, by=_author(by), reason=reason))


def unmerge(
    manager: PatientIdentifierCrossReferenceManager, text: str, *, domain: str, by: str, reason: str, force: bool
) -> None:
    """Prints the number of the undo."""
    print(manager.unmerge(read_identifier(text, domain), by=_author(by), reason=reason, force=force))


def undo(manager: PatientIdentifierCrossReferenceManager, number: int, *, by: str, reason: str, force: bool) -> None:
    """Prints the number of the undo."""
    print(manager.undo(number, by=_author(by), reason=reason, force=force))


def _author(by: str) -> str:
    if not by.strip():
        raise WrongInput("--by: a decision has an author")
    return by.strip()


def history(manager: PatientIdentifierCrossReferenceManager, text: str, *, domain: str, as_json: bool) -> None:
    """Everything about the person of this identifier."""
    _print(manager.history(read_identifier(text, domain)), as_json=as_json)


def review(manager: PatientIdentifierCrossReferenceManager, limit: int, *, as_json: bool) -> None:
    """What waits for a decision."""
    _print(manager.reviews(limit), as_json=as_json)


def _print(entries: Iterable[HistoryEntry], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "number": e.fact.number,
                "time": str(e.fact.time),
                "kind": e.fact.kind.name.lower(),
                "subject": str(e.subject),
                "other": str(e.other),
                "by": e.fact.origin,
                "cause": e.fact.cause,
                "reason": e.fact.reason,
                "undone": e.fact.undone,
                "holds": e.holds,
            }
            for e in entries
        )
        return
    rows = (
        (
            str(e.fact.number),
            str(e.fact.time),
            e.fact.kind.name.lower() + (f" {e.fact.undone}" if e.fact.undone else ""),
            f"{e.subject}\n{e.other}",
            e.fact.origin,
            " ".join(part for part in (e.fact.cause, e.fact.reason) if part),
            "" if e.holds else "undone",
        )
        for e in entries
    )
    print_table(("number", "time", "what", "of whom", "by", "why", ""), rows)
