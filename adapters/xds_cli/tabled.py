"""What the tables of the configuration file are for: feeds, limits, TLS. See ``xds_cli.tables`` for their keys."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xds.clients.patients import Parties
from xds.datatypes.hl7 import HD
from xds.hl7v2.feeds import Feed, Feeds
from xds.matching import ProfileMatcher
from xds.metadata.codes import CodeTable
from xds.patients.domains import CheckDigit, Domain, Domains, Mode
from xds.patients.matching import Matcher
from xds.pix import Policy
from xds.pix.policy import Consumer
from xds.registry import LinkChanges
from xds.vocab.ebrim import Scheme
from xds_cli.http_protocol import HttpLimits
from xds_cli.tables import TableError, Tables, only, rows
from xds_cli.tls import CertificateError, client_context, server_context
from xds_mllp.client import MllpClient
from xds_mllp.server import Limits as MllpLimits
from xds_soap.limits import MIB
from xds_soap.limits import Limits as SoapLimits


def feeds(tables: Tables) -> Feeds:
    """``[[feed]]``."""
    return Feeds([_feed(row) for row in rows(tables, "feed")])


def _feed(row: Mapping[str, Any]) -> Feed:
    oid, namespace = row["assigning_authority"], row["namespace"]
    if namespace and not oid:
        raise TableError("[[feed]] namespace needs assigning_authority, the OID of the same authority")
    return Feed(
        application=row["application"],
        facility=row["facility"],
        default_charsets=row["charsets"],
        undecodable=row["undecodable"],
        strict=row["strict"],
        unknown_triggers=row["unknown_triggers"],
        acknowledgement=row["acknowledgement"],
        assigning_authority=HD(namespace or "", oid, "ISO") if oid else None,
        time_zone=row["time_zone"],
    )


def domains(tables: Tables, affinity: str, matcher: Matcher | None = None) -> Domains:
    """``[[identifier_domain]]`` and, in ``[pix]``, where the identifiers of the affinity domain come from.

    A profile names the domains that it trusts; where none is configured these are.
    """
    mode = Mode(only(tables, "pix")["identifiers"])
    configured = [_domain(row) for row in rows(tables, "identifier_domain")]
    found = [*configured]
    if isinstance(matcher, ProfileMatcher) and not any(domain.trusted for domain in configured):
        known = {domain.authority.universal_id for domain in configured}
        found += [domain for domain in matcher.profile.domains() if domain.authority.universal_id not in known]
    return Domains(found, affinity=affinity, mode=mode, open=not configured)


def _domain(row: Mapping[str, Any]) -> Domain:
    if row["oid"] is None:
        raise TableError("[[identifier_domain]] needs oid")
    return Domain(
        authority=HD(row["namespace"] or "", row["oid"], "ISO"),
        sources=row["sources"] or (),
        trusted=row["trusted"],
        in_pid_19=row["in_pid_19"],
        check_digit=CheckDigit(row["check_digit"]),
    )


def policy(tables: Tables, consumers: Sequence[Consumer], matcher: Matcher | None) -> Policy:
    """``[pix]``."""
    row = only(tables, "pix")
    return Policy(
        consumers=tuple(consumers),
        unknown_survivor=row["unknown_survivor"],
        window=row["repeat_days"] * 86_400,
        documents_may_join=row["documents_may_join"],
        matcher=matcher,
    )


def link_changes(tables: Tables, domains: Domains, codes: CodeTable | None) -> LinkChanges | None:
    """``[xad_pid]``; None where the manager here assigns the identifiers. Raises TableError."""
    row = only(tables, "xad_pid")
    kind = row["content_type"]
    allowed = codes.by_scheme.get(Scheme.CONTENT_TYPE_CODE) if codes is not None and tables.get("xad_pid") else None
    if allowed is not None and (kind.code, kind.scheme) not in allowed:
        raise TableError("[xad_pid] content_type is not a contentTypeCode of the code table")
    if domains.mode is not Mode.EXTERNAL:
        return None
    affinity = domains.affinity.sources if domains.affinity is not None else ()
    return LinkChanges(content_type=kind, sources=row["sources"] or affinity)


@dataclass(frozen=True, slots=True)
class ConsumerPeer:
    """A PIX Consumer, and the way to it."""

    consumer: Consumer
    client: MllpClient
    parties: Parties


def pix_consumers(tables: Tables, domains: Domains) -> list[ConsumerPeer]:
    """``[[pix_consumer]]``; nothing is connected yet. Raises TableError."""
    peers = [_consumer(row, domains) for row in rows(tables, "pix_consumer")]
    if len({peer.consumer.name for peer in peers}) < len(peers):
        raise TableError("two [[pix_consumer]] have the same name")
    return peers


def _consumer(row: Mapping[str, Any], domains: Domains) -> ConsumerPeer:
    if row["name"] is None or row["host"] is None:
        raise TableError("[[pix_consumer]] needs name and host")
    numbers: set[int] = set()
    for text in row["domains"] or ():
        domain = domains.find(HD.oid(text))
        if domain is None:
            raise TableError(f"[[pix_consumer]] {row['name']}: {text} is no [[identifier_domain]]")
        numbers.add(domain.number)
    context = _client_tls(row, f"[[pix_consumer]] {row['name']}") or ssl.create_default_context()
    client = MllpClient(row["host"], row["port"], ssl=context if row["tls"] else None, timeout=row["timeout"])
    parties = Parties(
        application="XDS",
        receiving_application=row["application"] or "",
        receiving_facility=row["facility"] or "",
        charset=row["charset"],
    )
    return ConsumerPeer(Consumer(row["name"], frozenset(numbers) or None), client, parties)


def mllp_limits(tables: Tables) -> MllpLimits:
    """``[hl7v2]``."""
    row = only(tables, "hl7v2")
    return MllpLimits(
        connections=row["connections"],
        message_size=row["message_mb"] * MIB,
        queued_messages=row["queued"],
        idle_time=row["idle_time"],
        read_time=row["read_time"],
    )


def soap_limits(tables: Tables) -> SoapLimits:
    """``[soap]``: what one request may be."""
    row = only(tables, "soap")
    return SoapLimits(request=row["request_mb"] * MIB, envelope=row["envelope_mb"] * MIB, parts=row["parts"])


def http_limits(tables: Tables) -> HttpLimits:
    """``[soap]``: what one connection may take."""
    row = only(tables, "soap")
    return HttpLimits(
        header_time=row["header_time"],
        send_time=row["send_time"],
        idle_time=row["idle_time"],
        connections=row["connections"],
    )


def tls_context(tables: Tables) -> ssl.SSLContext | None:
    """``[tls]``; None without it. Raises TableError for files that are no certificates."""
    if not tables.get("tls"):
        return None
    row = only(tables, "tls")
    if row["certificate"] is None or row["key"] is None:
        raise TableError("[tls] needs certificate and key")
    try:
        return server_context(row["certificate"], row["key"], row["client_ca"], row["minimum_version"])
    except CertificateError as error:
        raise TableError(f"[tls] {error}") from None


def registry_context(tables: Tables) -> ssl.SSLContext | None:
    """``[registry]``; None without files. Raises TableError for files that are no certificates."""
    return _client_tls(only(tables, "registry"), "[registry]")


def _client_tls(row: Mapping[str, Any], where: str) -> ssl.SSLContext | None:
    try:
        return client_context(row["ca"], row["certificate"], row["key"])
    except CertificateError as error:
        raise TableError(f"{where} {error}") from None
