"""The tables of the configuration file: read, refused with a hint, and what comes out of them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme

from xds.datatypes.hl7 import HD
from xds.metadata.codes import CodeTable
from xds.metadata.common import Code
from xds.patients.domains import Source
from xds.registry import LinkChanges
from xds_cli import tabled, tables
from xds_cli.config import ConfigError, Settings, load_settings, settings_from_json, settings_to_json


def load(folder: Path, text: str) -> Settings:
    path = folder / "xds.toml"
    path.write_text(text, "utf-8")
    return load_settings({}, environ={}, config=str(path))


FEEDS = """
[[feed]]
application = "LAB"
facility = "EAST"
charsets = ["GB 18030-2000", "latin-1"]
undecodable = "replace"
strict = true
unknown_triggers = "reject"
acknowledgement = "enhanced"
assigning_authority = "1.2.156.1"
namespace = "EAST"
time_zone = "Asia/Shanghai"

[[feed]]
charsets = "utf-8"
"""


def test_feeds_are_found_by_their_names(tmp_path: Path) -> None:
    feeds = tabled.feeds(load(tmp_path, FEEDS).tables)
    lab, anybody = feeds.of("LAB", "EAST"), feeds.of("LAB", "WEST")
    assert lab.default_charsets == ("gb18030", "iso8859-1")
    assert (lab.undecodable, lab.strict, lab.unknown_triggers, lab.acknowledgement) == (
        "replace",
        True,
        "reject",
        "enhanced",
    )
    assert lab.assigning_authority == HD("EAST", "1.2.156.1", "ISO")
    assert (lab.time_zone, anybody.time_zone) == ("Asia/Shanghai", "UTC")
    assert (anybody.default_charsets, anybody.strict, anybody.assigning_authority) == (("utf-8",), False, None)


def test_without_tables_the_defaults_are_those_of_the_parts() -> None:
    nothing = load_settings({}, environ={}).tables
    assert tabled.feeds(nothing).of("A", "B").default_charsets == ("utf-8", "iso8859-1")
    assert tabled.mllp_limits(nothing) == tabled.MllpLimits()
    assert tabled.soap_limits(nothing) == tabled.SoapLimits()
    assert tabled.http_limits(nothing) == tabled.HttpLimits()
    assert tabled.tls_context(nothing) is None
    assert tabled.registry_context(nothing) is None


def test_limits(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "[soap]\nrequest_mb = 10\nenvelope_mb = 2\nparts = 7\nheader_time = 1.5\nconnections = 9\n"
        "[hl7v2]\nmessage_mb = 3\nidle_time = 4\n",
    ).tables
    assert (tabled.soap_limits(found).request, tabled.soap_limits(found).parts) == (10 * 2**20, 7)
    assert (tabled.http_limits(found).header_time, tabled.http_limits(found).connections) == (1.5, 9)
    assert (tabled.mllp_limits(found).message_size, tabled.mllp_limits(found).idle_time) == (3 * 2**20, 4.0)


def test_tables_travel_to_a_worker(tmp_path: Path) -> None:
    settings = load(tmp_path, FEEDS)
    assert settings_from_json(json.loads(settings_to_json(settings))) == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[feed]]\naplication = "LAB"', "did you mean application?"),
        ("[feeds]", "did you mean feed?"),
        ('[[feed]]\ntime_zone = "Nowhere"', "such as Asia/Shanghai"),
        ('[[feed]]\nstrict = "yes"', "write true or false"),
        ('[[feed]]\nundecodable = "rejected"', "did you mean reject?"),
        ('[[feed]]\ncharsets = "utf-9"', "HL7 table 0211"),
        ('[[feed]]\nassigning_authority = "EAST"', "write an OID"),
        ("[soap]\nparts = 0", "whole number from 1"),
        ("[soap]\nheader_time = -1", "seconds above 0"),
        ("[[soap]]\n[[soap]]", "write [soap]"),
        ('[xad_pid]\ncontent_type = "A43"', "write CODE^DISPLAY NAME^CODING SCHEME"),
        ('[xad_pid]\ncontent_type = "A^B^C^D"', "write CODE^DISPLAY NAME^CODING SCHEME"),
        ("soap = 3", "soap is a table"),
        ("[hl7v2]\nconnections = [1]", "must be a text"),
        ('[tls]\ncertificate = "/no/such.pem"', "name a file that is there"),
    ],
)
def test_what_cannot_be_used_is_named_with_a_hint(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert words in str(raised.value)
    assert "xds.toml" in str(raised.value)


DOMAIN = """
[[identifier_domain]]
oid = "1.2.3"
sources = "MPI|WEST"
"""


def test_link_changes_are_believed_from_who_speaks_for_the_affinity_domain(tmp_path: Path) -> None:
    found = load(tmp_path, DOMAIN).tables
    agreed = tabled.link_changes(found, tabled.domains(found, "1.2.3"), None)
    assert agreed == LinkChanges(sources=(Source("MPI", "WEST"),))
    assert tabled.link_changes({}, tabled.domains({}, "1.2.3"), None) == LinkChanges()
    found = load(tmp_path, DOMAIN + "[xad_pid]\nsources = 'XREF'\ncontent_type = 'm^Moved^1.2'").tables
    agreed = tabled.link_changes(found, tabled.domains(found, "1.2.3"), None)
    assert agreed == LinkChanges(sources=(Source("XREF"),), content_type=Code("m", "1.2"))


def test_nobody_changes_links_of_identifiers_that_are_assigned_here(tmp_path: Path) -> None:
    found = load(tmp_path, "[pix]\nidentifiers = 'assigned'").tables
    assert tabled.link_changes(found, tabled.domains(found, "1.2.3"), None) is None


def test_the_code_of_link_changes_is_one_of_the_code_table(tmp_path: Path) -> None:
    codes = CodeTable({"contentTypeCode": {("m", "1.2"): "Moved"}})
    for code, fits in (("m^Moved^1.2", True), ("n^Moved^1.2", False)):
        found = load(tmp_path, f"[xad_pid]\ncontent_type = '{code}'").tables
        if fits:
            assert tabled.link_changes(found, tabled.domains(found, "1.2.3"), codes) is not None
            continue
        with pytest.raises(tables.TableError, match="contentTypeCode of the code table"):
            tabled.link_changes(found, tabled.domains(found, "1.2.3"), codes)


def test_a_namespace_needs_its_oid(tmp_path: Path) -> None:
    with pytest.raises(tables.TableError, match="needs assigning_authority"):
        tabled.feeds(load(tmp_path, '[[feed]]\nnamespace = "EAST"').tables)


def test_tls(tmp_path: Path) -> None:
    ca = trustme.CA()
    leaf = ca.issue_cert("localhost")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    text = f'[tls]\ncertificate = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"\n'
    context = tabled.tls_context(load(tmp_path, text + 'minimum_version = "1.3"').tables)
    assert context is not None
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_3, ssl.CERT_NONE)
    context = tabled.tls_context(load(tmp_path, text + f'client_ca = "{tmp_path}/ca.pem"').tables)
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(tables.TableError, match="needs certificate and key"):
        tabled.tls_context(load(tmp_path, f'[tls]\ncertificate = "{tmp_path}/cert.pem"').tables)
    swapped = f'[tls]\ncertificate = "{tmp_path}/key.pem"\nkey = "{tmp_path}/cert.pem"\n'
    with pytest.raises(tables.TableError, match="cannot be used"):
        tabled.tls_context(load(tmp_path, swapped).tables)
