"""The ``xds`` command. What a command needs is imported inside it, so that ``xds version`` answers at once.

Exit codes: 0 done, 1 refused by the peer (its error codes are printed), 2 wrong use or wrong input.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xds_cli.config import BY_KEY, ConfigError, StartError, load_settings
from xds_cli.exits import REFUSED, exits, fail
from xds_cli.feed_commands import feed
from xds_cli.match_commands import match
from xds_cli.patient_commands import patient

app = typer.Typer(
    help="IHE XDS.b registry, repository and patient identities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(patient, name="patient")
app.add_typer(feed, name="feed")
app.add_typer(match, name="match")


def _help(key: str) -> str:
    option = BY_KEY[key]
    default = f" [{option.default}]" if option.default else ""
    return f"{option.meaning}{default} ({option.variable})"


@app.command()
def serve(
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="TOML file with these settings (XDS_CONFIG)")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="DIR", help=_help("data"))] = None,
    database: Annotated[str | None, typer.Option(metavar="URL", help=_help("database"))] = None,
    documents: Annotated[str | None, typer.Option(metavar="URL", help=_help("documents"))] = None,
    http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_help("http"))] = None,
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_help("mllp"))] = None,
    workers: Annotated[str | None, typer.Option(metavar="N", help=_help("workers"))] = None,
    affinity: Annotated[str | None, typer.Option(metavar="core|none", help=_help("affinity"))] = None,
    codes: Annotated[str | None, typer.Option(metavar="FILE", help=_help("codes"))] = None,
    patients: Annotated[str | None, typer.Option(metavar="known|any", help=_help("patients"))] = None,
    matching: Annotated[str | None, typer.Option(metavar="off|ids|generic|cn|FILE", help=_help("matching"))] = None,
    domain: Annotated[str | None, typer.Option(metavar="OID", help=_help("domain"))] = None,
    home_community_id: Annotated[str | None, typer.Option(metavar="URN", help=_help("home_community_id"))] = None,
    repository_unique_id: Annotated[str | None, typer.Option(metavar="OID", help=_help("repository_unique_id"))] = None,
    reply_to: Annotated[str | None, typer.Option(metavar="HOST,…", help=_help("reply_to"))] = None,
    max_results: Annotated[str | None, typer.Option(metavar="N", help=_help("max_results"))] = None,
    register_at: Annotated[str | None, typer.Option(metavar="URL", help=_help("register_at"))] = None,
    bridge: Annotated[str | None, typer.Option(metavar="FILE", help=_help("bridge"))] = None,
) -> None:
    """Run registry, repository and patient identity feed until SIGTERM or SIGINT."""
    given = {
        "data": data,
        "database": database,
        "documents": documents,
        "http": http,
        "mllp": mllp,
        "workers": workers,
        "affinity": affinity,
        "codes": codes,
        "patients": patients,
        "matching": matching,
        "domain": domain,
        "home_community_id": home_community_id,
        "repository_unique_id": repository_unique_id,
        "reply_to": reply_to,
        "max_results": max_results,
        "register_at": register_at,
        "bridge": bridge,
    }
    from xds_cli.serve import run

    try:
        run(load_settings(given, config=config))
    except (ConfigError, StartError) as error:
        raise fail("serve", str(error)) from None


@app.command()
def demo(
    stay: Annotated[bool, typer.Option("--stay", help="leave the server running and print its addresses")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="keep the data here instead of a temporary folder")
    ] = None,
) -> None:
    """Three hospitals share patients and documents through a server that is killed in between."""
    import signal

    from xds_cli.demo import run_demo
    from xds_cli.demo_stage import DemoFailed

    # an exception, so that the server goes with the demo
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run_demo(stay=stay, data=data)
    except DemoFailed as error:
        raise fail("demo", str(error), REFUSED) from None


_REPOSITORY = Annotated[
    str, typer.Option("--repository", metavar="URL", envvar="XDS_REPOSITORY_URL", help="endpoint of ITI-41 and ITI-43")
]
_REGISTRY = Annotated[
    str, typer.Option("--registry", metavar="URL", envvar="XDS_REGISTRY_URL", help="endpoint of ITI-18")
]
_DOMAIN = Annotated[
    str, typer.Option("--domain", metavar="OID", envvar="XDS_DOMAIN", help="assigning authority of a bare patient id")
]
_TIMEOUT = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="without progress, then the peer is given up")
]
_JSON = Annotated[bool, typer.Option("--json", help="one JSON object per line")]
_CODE = Annotated[str | None, typer.Option(metavar="CODE^NAME^SCHEME", help="without it a general one")]
_CODES = Annotated[list[str] | None, typer.Option(metavar="CODE^NAME^SCHEME", help="may be repeated: any of them")]
_REPOSITORY_URL = "http://127.0.0.1:8080/repository"
_REGISTRY_URL = "http://127.0.0.1:8080/registry"
_AFFINITY_DOMAIN = BY_KEY["domain"].default or ""
_UNIQUE_ID = BY_KEY["repository_unique_id"].default or ""


@app.command()
def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="documents of one submission")],
    patient: Annotated[
        str | None,
        typer.Option(metavar="ID", help="ID, or ID^^^&OID&ISO; without it the one in the headers of CDA documents"),
    ] = None,
    repository: _REPOSITORY = _REPOSITORY_URL,
    title: Annotated[str | None, typer.Option(help="title; without it the name of the file")] = None,
    mime_type: Annotated[str | None, typer.Option(metavar="TYPE", help="without it guessed from the file")] = None,
    language: Annotated[str | None, typer.Option(metavar="TAG", help="languageCode; without it en-US")] = None,
    author: Annotated[str | None, typer.Option(metavar="XCN", help="author, for example ^Brandt^Ines")] = None,
    institution: Annotated[str | None, typer.Option(metavar="XON", help="institution of the author")] = None,
    class_code: _CODE = None,
    type_code: _CODE = None,
    format_code: _CODE = None,
    confidentiality_code: _CODE = None,
    healthcare_facility_type_code: _CODE = None,
    practice_setting_code: _CODE = None,
    content_type_code: _CODE = None,
    source_id: Annotated[str | None, typer.Option(metavar="OID", help="the submitting system")] = None,
    replace: Annotated[str | None, typer.Option(metavar="ID", help="takes the place of this document (RPLC)")] = None,
    append_to: Annotated[list[str] | None, typer.Option(metavar="ID", help="adds to this document (APND)")] = None,
    transform: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="is this document in another form (XFRM)")
    ] = None,
    transform_replace: Annotated[
        str | None, typer.Option(metavar="ID", help="another form that takes the document's place (XFRM_RPLC)")
    ] = None,
    sign: Annotated[list[str] | None, typer.Option(metavar="ID", help="is a signature over this document")] = None,
    folder: Annotated[
        list[str] | None, typer.Option(metavar="ID|new:TITLE", help="into this folder, or into a new one")
    ] = None,
    folder_code: Annotated[
        str | None, typer.Option(metavar="CODE^NAME^SCHEME", help="of new folders; without it a general one")
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="a registered document, in this submission set too")
    ] = None,
    registry: _REGISTRY = _REGISTRY_URL,
    cda: Annotated[bool, typer.Option(help="take what no option says from the header of a CDA document")] = True,
    mtom: Annotated[bool, typer.Option(help="documents as MTOM parts, or inline as base64")] = True,
    domain: _DOMAIN = _AFFINITY_DOMAIN,
    timeout: _TIMEOUT = 30.0,
    as_json: _JSON = False,
) -> None:
    """Submit documents to a repository (ITI-41).

    The ID of a registered document or folder is its entryUUID, or its uniqueId: then the registry is asked.
    """
    with exits("submit"):
        from xds_cli import documents
        from xds_cli.relations import Relations

        described = documents.describe(
            patient=patient,
            domain=domain,
            codes={
                "class_code": class_code,
                "type_code": type_code,
                "format_code": format_code,
                "confidentiality_code": confidentiality_code,
                "healthcare_facility_type_code": healthcare_facility_type_code,
                "practice_setting_code": practice_setting_code,
                "content_type_code": content_type_code,
                "folder_code": folder_code,
            },
            source_id=source_id,
            title=title,
            mime_type=mime_type,
            language=language,
            author=author,
            institution=institution,
            cda=cda,
        )
        relations = Relations(
            replace=replace,
            transform_replace=transform_replace,
            append_to=append_to or (),
            transform=transform or (),
            sign=sign or (),
            folders=folder or (),
            references=reference or (),
        )
        documents.submit(
            files,
            described,
            relations,
            repository=repository,
            registry=registry,
            timeout=timeout,
            mtom=mtom,
            as_json=as_json,
        )


@app.command()
def find(
    patient: Annotated[str | None, typer.Option(metavar="ID", help="patient id: ID, or ID^^^&OID&ISO")] = None,
    registry: _REGISTRY = _REGISTRY_URL,
    query: Annotated[str, typer.Option(metavar="NAME", help="a stored query of the Framework")] = "FindDocuments",
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="its parameter; repeated for any of several, NAME&=VALUE for an AND"),
    ] = None,
    status: Annotated[str, typer.Option(metavar="approved|deprecated|all", help="availabilityStatus")] = "approved",
    class_code: _CODES = None,
    type_code: _CODES = None,
    format_code: _CODES = None,
    practice_setting_code: _CODES = None,
    healthcare_facility_type_code: _CODES = None,
    event_code_list: _CODES = None,
    confidentiality_code: _CODES = None,
    created_from: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="creationTime at or after")] = None,
    created_to: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="creationTime before")] = None,
    service_start_from: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="serviceStartTime")] = None,
    service_start_to: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="serviceStartTime")] = None,
    service_stop_from: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="serviceStopTime")] = None,
    service_stop_to: Annotated[str | None, typer.Option(metavar="YYYYMMDD", help="serviceStopTime")] = None,
    author: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="authorPerson, with % and _; may be repeated")
    ] = None,
    entry_type: Annotated[
        list[str] | None, typer.Option(metavar="stable|on-demand", help="may be repeated; without it stable")
    ] = None,
    home: Annotated[str | None, typer.Option(metavar="URN", help="homeCommunityId of another community")] = None,
    refs: Annotated[bool, typer.Option("--refs", help="ids only (ObjectRef)")] = False,
    domain: _DOMAIN = _AFFINITY_DOMAIN,
    timeout: _TIMEOUT = 30.0,
    as_json: _JSON = False,
) -> None:
    """Find documents, folders, submission sets and associations in a registry (ITI-18).

    Without --query the documents of a patient. Names of parameters are those of the Framework, with or without $, or
    in snake case: $XDSFolderEntryUUID is folder_entry_uuid.
    """
    with exits("find"):
        from xds_cli import finding

        finding.find(
            query,
            patient=patient,
            domain=domain,
            status=status,
            criteria={
                "class_code": class_code,
                "type_code": type_code,
                "format_code": format_code,
                "practice_setting_code": practice_setting_code,
                "healthcare_facility_type_code": healthcare_facility_type_code,
                "event_code_list": event_code_list,
                "confidentiality_code": confidentiality_code,
                "creation_time_from": created_from,
                "creation_time_to": created_to,
                "service_start_time_from": service_start_from,
                "service_start_time_to": service_start_to,
                "service_stop_time_from": service_stop_from,
                "service_stop_time_to": service_stop_to,
                "author_person": author,
                "type": entry_type,
            },
            params=param or (),
            refs=refs,
            home=home,
            registry=registry,
            timeout=timeout,
            as_json=as_json,
        )


@app.command()
def get(
    unique_id: Annotated[str, typer.Argument(metavar="UNIQUE_ID", help="uniqueId of the document")],
    repository: _REPOSITORY = _REPOSITORY_URL,
    repository_unique_id: Annotated[
        str, typer.Option(metavar="OID", help="repositoryUniqueId of its DocumentEntry")
    ] = _UNIQUE_ID,
    home: Annotated[str | None, typer.Option(metavar="URN", help="homeCommunityId of its DocumentEntry")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="where to; a folder, or - for standard output")
    ] = None,
    timeout: _TIMEOUT = 30.0,
    as_json: _JSON = False,
) -> None:
    """Retrieve a document from a repository (ITI-43)."""
    with exits("get"):
        from xds_cli import documents

        documents.get(
            unique_id,
            repository_unique_id=repository_unique_id,
            home=home,
            output=output,
            repository=repository,
            timeout=timeout,
            as_json=as_json,
        )


@app.command()
def validate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="metadata, SOAP message or capture; - is standard input")
    ],
    profile: Annotated[
        str | None,
        typer.Option(metavar="registry|provide|limited|on-demand", help="who receives it; without it what the file is"),
    ] = None,
    codes: Annotated[Path | None, typer.Option(metavar="FILE", help="code table of the affinity domain")] = None,
    content_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="of a capture without its HTTP headers")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON list")] = False,
) -> None:
    """Say what a receiver would find wrong with a file: 0 nothing, 1 something, 2 it cannot be read."""
    from xds_cli.validate import run

    try:
        code = run(files, profile=profile, codes=codes, content_type=content_type, as_json=as_json)
    except (ValueError, OSError) as error:
        raise fail("validate", str(error)) from None
    raise typer.Exit(code)


@app.command()
def version(
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,
) -> None:
    """Print the version of the library and of Python."""
    import json
    import platform

    from xds import __version__

    if as_json:
        print(json.dumps({"ihe-xds": __version__, "python": platform.python_version()}))
    else:
        print(f"ihe-xds {__version__} (Python {platform.python_version()})")


def main() -> None:
    app(prog_name="xds")


if __name__ == "__main__":
    main()
