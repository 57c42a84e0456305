"""``xds patient …``: who somebody is, what they are called elsewhere, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from xds_cli.exits import exits
from xds_cli.identity_options import AFFINITY, CONFIG, DATA, DATABASE, DOMAIN, IDENTIFIER, JSON, OTHER, stored

patient = typer.Typer(help="Patient identities: find, cross-reference, link, merge, undo.", no_args_is_help=True)

_IN = Annotated[
    list[str] | None, typer.Option("--in", metavar="OID", help="only identifiers of this domain; repeatable")
]
_MLLP = Annotated[
    str, typer.Option("--mllp", metavar="HOST:PORT", envvar="XDS_MLLP", help="where the peer listens for HL7 v2")
]
_TLS = Annotated[bool, typer.Option("--tls", help="MLLP over TLS, with XDS_CA, XDS_CERTIFICATE and XDS_KEY")]
_AS = Annotated[
    str, typer.Option("--as", metavar="APPLICATION|FACILITY", envvar="XDS_SENDER", help="who asks: MSH-3 and MSH-4")
]
_PEER = Annotated[
    str, typer.Option("--peer", metavar="APPLICATION|FACILITY", envvar="XDS_PEER", help="who is asked: MSH-5, MSH-6")
]
_TIMEOUT = Annotated[float, typer.Option(metavar="SECONDS", help="longest wait for an answer")]
_BY = Annotated[str, typer.Option(metavar="NAME", envvar=["XDS_BY", "USER"], help="who decides; stays in the history")]
_REASON = Annotated[str, typer.Option(metavar="TEXT", help="why; stays in the history")]
_FORCE = Annotated[bool, typer.Option("--force", help="also where relationships join documents of both sides")]
_MLLP_DEFAULT = "127.0.0.1:2575"


@patient.command()
def find(
    family: Annotated[str, typer.Option(metavar="NAME", help="family name; * at an end stands for anything")] = "",
    given: Annotated[str, typer.Option(metavar="NAME", help="given name, likewise")] = "",
    birth: Annotated[str, typer.Option(metavar="YYYY[MM[DD]]", help="birth date, at any precision")] = "",
    sex: Annotated[str, typer.Option(metavar="F|M|O|U", help="administrative sex")] = "",
    id: Annotated[list[str] | None, typer.Option("--id", metavar="ID", help="an identifier; repeatable")] = None,
    street: Annotated[str, typer.Option(metavar="TEXT", help="of the address")] = "",
    city: Annotated[str, typer.Option(metavar="TEXT", help="of the address")] = "",
    postal_code: Annotated[str, typer.Option(metavar="TEXT", help="of the address")] = "",
    phone: Annotated[str, typer.Option(metavar="NUMBER", help="home phone")] = "",
    domain: DOMAIN = AFFINITY,
    domains: _IN = None,
    mllp: _MLLP = _MLLP_DEFAULT,
    tls: _TLS = False,
    sender: _AS = "XDS",
    peer: _PEER = "",
    timeout: _TIMEOUT = 30.0,
    as_json: JSON = False,
) -> None:
    """Find people by what is known of them (Patient Demographics Query, ITI-21)."""
    with exits("patient find"):
        from xds_cli import patients
        from xds_cli.feeding import Wire

        wire = Wire(mllp, tls=tls, sender=sender, peer=peer, timeout=timeout)
        texts = {
            "family_name": family,
            "given_name": given,
            "birth_time": birth,
            "sex": sex,
            "street": street,
            "city": city,
            "postal_code": postal_code,
            "home_phone": phone,
        }
        patients.find(wire, texts, id or (), domains or (), domain=domain, as_json=as_json)


@patient.command()
def crossref(
    identifier: IDENTIFIER,
    domain: DOMAIN = AFFINITY,
    domains: _IN = None,
    mllp: _MLLP = _MLLP_DEFAULT,
    tls: _TLS = False,
    sender: _AS = "XDS",
    peer: _PEER = "",
    timeout: _TIMEOUT = 30.0,
    as_json: JSON = False,
) -> None:
    """Say what a patient is called in other domains (PIX Query, ITI-9)."""
    with exits("patient crossref"):
        from xds_cli import patients
        from xds_cli.feeding import Wire

        wire = Wire(mllp, tls=tls, sender=sender, peer=peer, timeout=timeout)
        patients.crossref(wire, identifier, domains or (), domain=domain, as_json=as_json)


@patient.command()
def link(
    one: IDENTIFIER,
    other: OTHER,
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    by: _BY = "",
    reason: _REASON = "",
    mllp: Annotated[
        str | None, typer.Option("--mllp", metavar="HOST:PORT", help="send it to this peer instead (ITI-30)")
    ] = None,
    tls: _TLS = False,
    sender: _AS = "XDS",
    peer: _PEER = "",
    timeout: _TIMEOUT = 30.0,
) -> None:
    """Two identifiers are one person's, whose records stay apart."""
    wire = None if mllp is None else (mllp, tls, sender, peer, timeout)
    _join("link", (one, other), domain, wire, (config, data, database), by, reason)


@patient.command()
def unlink(
    one: IDENTIFIER,
    other: OTHER,
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    by: _BY = "",
    reason: _REASON = "",
    mllp: Annotated[
        str | None, typer.Option("--mllp", metavar="HOST:PORT", help="send it to this peer instead (ITI-30)")
    ] = None,
    tls: _TLS = False,
    sender: _AS = "XDS",
    peer: _PEER = "",
    timeout: _TIMEOUT = 30.0,
) -> None:
    """Two identifiers are not one person's; nothing automatic joins them again."""
    wire = None if mllp is None else (mllp, tls, sender, peer, timeout)
    _join("unlink", (one, other), domain, wire, (config, data, database), by, reason)


def _join(
    decision: Literal["link", "unlink"],
    pair: tuple[str, str],
    domain: str,
    wire: tuple[str, bool, str, str, float] | None,
    server: tuple[str | None, str | None, str | None],
    by: str,
    reason: str,
) -> None:
    """Send it to a peer, or decide it in a server's store."""
    command = f"patient {decision}"
    if wire is not None:
        with exits(command):
            from xds_cli import patients
            from xds_cli.feeding import Wire

            mllp, tls, sender, peer, timeout = wire
            to = Wire(mllp, tls=tls, sender=sender, peer=peer, timeout=timeout)
            patients.send_link(to, *pair, domain=domain, end=decision == "unlink")
        return
    with stored(command, *server) as actors:
        from xds_cli import patients

        chosen = actors.manager.link if decision == "link" else actors.manager.unlink
        patients.decide(chosen, *pair, domain=domain, by=by, reason=reason)


@patient.command()
def merge(
    subsumed: IDENTIFIER,
    survivor: Annotated[str, typer.Argument(metavar="SURVIVOR", help="the identifier that stands for it from now on")],
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    by: _BY = "",
    reason: _REASON = "",
) -> None:
    """An identifier ends in another of its domain; its documents are found under that."""
    with stored("patient merge", config, data, database) as actors:
        from xds_cli import patients

        patients.decide(actors.manager.merge, subsumed, survivor, domain=domain, by=by, reason=reason)


@patient.command()
def unmerge(
    subsumed: IDENTIFIER,
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    by: _BY = "",
    reason: _REASON = "",
    force: _FORCE = False,
) -> None:
    """Undo the merge by which an identifier ended: documents go back to where they were submitted."""
    with stored("patient unmerge", config, data, database) as actors:
        from xds_cli import patients

        patients.unmerge(actors.manager, subsumed, domain=domain, by=by, reason=reason, force=force)


@patient.command()
def history(
    identifier: IDENTIFIER,
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """Say who was joined with whom and parted, when, by whom and why. Nothing is ever removed from it."""
    with stored("patient history", config, data, database) as actors:
        from xds_cli import patients

        patients.history(actors.manager, identifier, domain=domain, as_json=as_json)


@patient.command()
def undo(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="of the fact, as history shows it")],
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    by: _BY = "",
    reason: _REASON = "",
    force: _FORCE = False,
) -> None:
    """Make everything as it would be without a fact of the history. An undo can be undone."""
    with stored("patient undo", config, data, database) as actors:
        from xds_cli import patients

        patients.undo(actors.manager, number, by=by, reason=reason, force=force)


@patient.command()
def review(
    limit: Annotated[int, typer.Option(metavar="N", help="at most so many pairs")] = 100,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """List pairs that may be one person's; link or unlink decides."""
    with stored("patient review", config, data, database) as actors:
        from xds_cli import patients

        patients.review(actors.manager, limit, as_json=as_json)
