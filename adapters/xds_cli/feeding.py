"""The two ways of the commands about patients: to a peer over MLLP, and into a server's store itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xds.clients.patients import Hl7Exchange, Parties
from xds.datatypes.hl7 import CX, HD
from xds.errors import StoreUnavailable, XdsError
from xds.hl7v2.ack import read_acknowledgement
from xds.patients.records import DeadLetter
from xds.pix import Outbox, PatientIdentifierCrossReferenceManager
from xds_cli.assemble import IdentityParts, open_identities
from xds_cli.config import ConfigError, StartError, load_settings, read_address
from xds_cli.output import print_errors, print_json, print_table
from xds_cli.reading import Refused, WrongInput
from xds_cli.tls import CertificateError, from_environment
from xds_mllp.client import MllpClient

# --------------------------------------------------------------------------- a peer


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a peer is, and who speaks with whom."""

    mllp: str
    tls: bool
    sender: str
    peer: str
    timeout: float

    @contextmanager
    def open(self) -> Iterator[tuple[Hl7Exchange, Parties]]:
        """Raises WrongInput."""
        try:
            address = read_address(self.mllp)
            context = from_environment() if self.tls else None
        except (ValueError, CertificateError) as error:
            raise WrongInput(f"--mllp {self.mllp}: {error}") from None
        (application, facility), (receiver, place) = _names(self.sender), _names(self.peer)
        parties = Parties(
            application=application, facility=facility, receiving_application=receiver, receiving_facility=place
        )
        with MllpClient(address.host, address.port, ssl=context, timeout=self.timeout) as client:
            yield client.exchange, parties


def _names(text: str) -> tuple[str, str]:
    application, _, facility = text.partition("|")
    return application.strip(), facility.strip()


def read_identifier(text: str, domain: str) -> CX:
    """``ID`` of the affinity domain, ``ID^^^&OID&ISO`` or ``ID^^^NAMESPACE``; raises WrongInput."""
    if "^" not in text:
        return CX.of(text.strip(), domain)
    identifier = CX.parse(text)
    if not identifier.id or not identifier.assigning_authority:
        raise WrongInput(f"{text!r}: write ID, ID^^^&OID&ISO or ID^^^NAMESPACE")
    return identifier


def read_domain(text: str) -> HD:
    """An OID, or a namespace."""
    return HD.oid(text) if text[:1].isdigit() else HD(text)


# --------------------------------------------------------------------------- the store


@contextmanager
def at_store(command: str, config: str | None, data: str | None, database: str | None) -> Iterator[IdentityParts]:
    """The identities of a server, which may be running; raises WrongInput, and Refused for what is refused."""
    given = {"data": data, "database": database}
    try:
        settings = load_settings(given, config=config)
        with open_identities(settings) as parts:
            yield parts
    except (ConfigError, StartError) as error:
        raise WrongInput(str(error)) from None
    except StoreUnavailable as error:
        raise WrongInput(f"the store cannot be used: {error}") from None
    except XdsError as error:
        print_errors(command, str(error), (), as_json=False)
        raise Refused from None


# --------------------------------------------------------------------------- dead letters


def dead(manager: PatientIdentifierCrossReferenceManager, *, settled: bool, limit: int, as_json: bool) -> None:
    """List them."""
    letters = manager.dead_letters(settled=settled, limit=limit)
    if as_json:
        print_json(
            {
                "number": one.number,
                "time": str(one.time),
                "sender": one.sender,
                "control_id": one.control_id,
                "reason": one.reason,
                "settled": one.settled,
            }
            for one in letters
        )
        return
    columns = ("number", "time", "sender", "control id", "reason", *(["settled"] if settled else ()))
    print_table(
        columns,
        (
            (str(x.number), str(x.time), x.sender, x.control_id, x.reason, *([x.settled] if settled else ()))
            for x in letters
        ),
    )


def show(manager: PatientIdentifierCrossReferenceManager, number: int, output: Path | None) -> None:
    """Print the message, or write it to a file as it came."""
    letter = _letter(manager, number)
    if output is not None:
        try:
            output.write_bytes(letter.message)
        except OSError as error:
            raise WrongInput(f"--output {output}: {error.strerror}") from None
        return
    sys.stdout.buffer.write(letter.message.rstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + b"\n")


def replay(parts: IdentityParts, number: int, corrected: Path | None) -> None:
    """Apply the message, or a corrected one, as the server would; raises Refused with its answer."""
    message = _letter(parts.manager, number).message
    if corrected is not None:
        try:
            # editors end lines with line feeds; segments end with a carriage return
            message = corrected.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        except OSError as error:
            raise WrongInput(f"--corrected {corrected}: {error.strerror}") from None
    answers = parts.endpoint.respond(message)
    refused = [answer for answer in map(read_acknowledgement, answers) if not answer.accepted]
    if refused or not answers:
        reasons = "; ".join(str(error) for answer in refused for error in answer.errors) or "it is no message"
        print_errors("feed replay", f"refused again: {reasons}", (), as_json=False)
        raise Refused
    parts.manager.settle_dead_letter(number, how="replayed" if corrected is None else "corrected and replayed")
    print(f"{number} is applied")


def drop(manager: PatientIdentifierCrossReferenceManager, number: int, reason: str) -> None:
    """Settle it without applying it."""
    _letter(manager, number)
    manager.settle_dead_letter(number, how=f"dropped: {reason}")


def _letter(manager: PatientIdentifierCrossReferenceManager, number: int) -> DeadLetter:
    letter = manager.dead_letter(number)
    if letter is None:
        raise WrongInput(f"there is no dead letter {number}")
    return letter


# --------------------------------------------------------------------------- the outbox


def outbox(outbox: Outbox, *, given_up: bool, limit: int, as_json: bool) -> None:
    """List notifications."""
    found = outbox.given_up(limit) if given_up else outbox.waiting(limit)
    if as_json:
        print_json({"number": n.number, "consumer": n.consumer, "attempts": n.attempts} for n in found)
    else:
        print_table(("number", "consumer", "attempts"), ((str(n.number), n.consumer, str(n.attempts)) for n in found))


def resend(outbox: Outbox, consumer: str) -> None:
    """Tell a consumer again what it refused; prints how many notifications that are."""
    refused = [n for n in outbox.given_up(_ALL) if n.consumer == consumer]
    for notification in refused:
        outbox.revive(notification.number)
    print(len(refused))


_ALL: Final = 1_000_000
