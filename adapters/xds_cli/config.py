"""The settings of ``xds serve``: one table of options, three places to set them.

Every option is a key of the TOML file, an environment variable (``XDS_…``) and a command line option; the command line
wins over the environment, the environment over the file. A key that does not exist is an error that names the nearest
one that does: a misspelt setting that silently keeps its default is how a registry ends up on the wrong disk.

Adding an option is one row in :data:`OPTIONS` and one field of :class:`Settings`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from xds.datatypes.ids import is_home_community_id
from xds_cli.tables import BY_KEY as TABLES
from xds_cli.tables import TableError, Tables, from_toml
from xds_cli.tls import CLIENT_VARIABLES
from xds_cli.words import count, nearest, oid, one_of, one_of_or_file


class ConfigError(Exception):
    """A setting is wrong; the text is one line that says which, and what to change."""


class StartError(Exception):
    """A start that cannot succeed; the text is one line that says what to change."""


@dataclass(frozen=True, slots=True)
class Address:
    """A listener: ``127.0.0.1:8080``, ``0.0.0.0:0``, ``[::1]:2575``. Port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``xds serve`` runs with; every field but the last is a row of :data:`OPTIONS`."""

    data: Path
    database: str
    documents: Path
    http: Address
    mllp: Address
    workers: int
    affinity: str
    codes: Path | None
    patients: str
    matching: str
    domain: str
    home_community_id: str | None
    repository_unique_id: str
    reply_to: tuple[str, ...]
    max_results: int
    register_at: str | None
    bridge: Path | None
    tables: Tables  # of the file, see ``xds_cli.tables``


# --------------------------------------------------------------------------- reading one value


def read_address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("write HOST:PORT, for example 127.0.0.1:8080 (port 0 takes a free one)")
    return Address(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))


def _home_community_id(text: str) -> str:
    # ITI TF-3, 4.2.3.2.12: homeCommunityId is an OID in URN form
    if not is_home_community_id(text):
        raise ValueError("write an OID as URN, for example urn:oid:1.3.6.1.4.1.21367.2026.1")
    return text


def _folder(text: str) -> Path:
    scheme, colon, rest = text.partition("://")
    if colon and scheme == "file":
        return Path(rest)
    if colon:
        raise ValueError("documents live in a folder for now: write file:///path or a path")
    if not text:
        raise ValueError("write the path of a folder")
    return Path(text)


def _path(text: str) -> Path:
    if not text:
        raise ValueError("write a path")
    return Path(text)


def _database(text: str) -> str:
    if "://" not in text:
        raise ValueError("write a SQLAlchemy URL: sqlite:///registry.sqlite, postgresql+psycopg://user@host/name")
    return text


def _endpoint(text: str) -> str:
    if not text.startswith(("http://", "https://")) or not text.partition("://")[2].strip("/"):
        raise ValueError("write the URL of an ITI-42 endpoint, for example https://registry.example/registry")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in text.split(",") if host.strip())
    if not hosts or any("/" in host for host in hosts):
        raise ValueError("write host names separated by commas, same-host, or none")
    return () if hosts == ("none",) else hosts


# --------------------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its TOML key, from which ``XDS_KEY`` and ``--key`` follow."""

    key: str
    read: Callable[[str], Any]
    default: str | None  # None: follows from another option, or absent
    meaning: str
    metavar: str

    @property
    def variable(self) -> str:
        return "XDS_" + self.key.upper()

    @property
    def flag(self) -> str:
        return "--" + self.key.replace("_", "-")


OPTIONS: Final = (
    Option("data", _path, "./xds-data", "the folder in which everything is kept", "DIR"),
    Option("database", _database, None, "metadata and small documents; without it: SQLite in the data folder", "URL"),
    Option("documents", _folder, None, "large documents: a folder; without it: in the data folder", "URL"),
    Option("http", read_address, "127.0.0.1:8080", "listener for SOAP; port 0 takes a free one", "HOST:PORT"),
    Option("mllp", read_address, "127.0.0.1:2575", "listener for HL7 v2; port 0 takes a free one", "HOST:PORT"),
    Option("workers", count, "1", "processes that share the listeners", "N"),
    Option(
        "affinity",
        one_of("core", "none"),
        "core",
        "core: each process keeps to one processor core, which saves CPU; none: the system decides",
        "core|none",
    ),
    Option("codes", _path, None, "code table of the affinity domain (TOML or codes.xml); without it: any code", "FILE"),
    Option(
        "patients",
        one_of("known", "any"),
        "known",
        "known: only announced patients may have documents; any: all may",
        "known|any",
    ),
    Option(
        "matching",
        one_of_or_file("off", "ids", "generic", "cn", suffix=".toml"),
        "ids",
        "how the PIX manager recognises people on its own; a FILE is a profile of yours",
        "off|ids|generic|cn|FILE",
    ),
    Option(
        "domain",
        oid,
        "1.3.6.1.4.1.21367.13.20.1000",
        "assigning authority of the patient ids of the affinity domain",
        "OID",
    ),
    Option(
        "home_community_id",
        _home_community_id,
        None,
        "put on every object of a query's answer; without it: none",
        "URN",
    ),
    Option("repository_unique_id", oid, "1.3.6.1.4.1.21367.2026.1.1", "repositoryUniqueId of the repository", "OID"),
    Option(
        "reply_to",
        _hosts,
        "same-host",
        "hosts asynchronous answers may go to: names, *.patterns, same-host (where the request came from), none",
        "HOST,…",
    ),
    Option("max_results", count, "10000", "a query that finds more objects is refused with XDSTooManyResults", "N"),
    Option(
        "register_at",
        _endpoint,
        None,
        "register at this ITI-42 endpoint of another system, and serve no registry; without it: the registry here",
        "URL",
    ),
    Option("bridge", _path, None, "mapping file: documents in MDM and ORU messages become submissions", "FILE"),
)
BY_KEY: Final = {option.key: option for option in OPTIONS}
# XDS_ variables that belong to other commands
OTHER_VARIABLES: Final = frozenset(
    {"XDS_CONFIG", "XDS_REPOSITORY_URL", "XDS_REGISTRY_URL", "XDS_SHARED", *CLIENT_VARIABLES}
)


def load_settings(
    given: Mapping[str, str | None],
    *,
    environ: Mapping[str, str] = os.environ,
    config: str | None = None,
) -> Settings:
    """Join command line (``given``), environment and TOML file (``config``, else ``XDS_CONFIG``).

    Raises ConfigError for the first setting that cannot be used.
    """
    origin: dict[str, tuple[str, str]] = {}  # key -> (text, where it was set)
    tables: Tables = {}
    file = config or environ.get("XDS_CONFIG")
    if file:
        found, tables = _from_file(Path(file))
        origin.update(found)
    origin.update(_from_environment(environ))
    for key, value in given.items():
        if value is not None:
            origin[key] = (str(value), BY_KEY[key].flag)
    return _settings(origin, tables)


def settings_to_json(settings: Settings) -> str:
    """The settings as one line, for a worker process."""
    values = {option.key: getattr(settings, option.key) for option in OPTIONS}
    texts = {key: _text(value) for key, value in values.items() if value is not None}
    return json.dumps({"options": texts, "tables": settings.tables})


def _text(value: Any) -> str:
    return (",".join(value) or "none") if isinstance(value, tuple) else str(value)


def settings_from_json(values: Mapping[str, Any]) -> Settings:
    options = {key: (text, "supervisor") for key, text in values["options"].items()}
    return _settings(options, values["tables"])


def _settings(origin: Mapping[str, tuple[str, str]], tables: Tables) -> Settings:
    values: dict[str, Any] = {}
    for option in OPTIONS:
        text, where = origin.get(option.key, (option.default, "default"))
        values[option.key] = None if text is None else _read(option, text, where)
    data: Path = values["data"]
    values["database"] = values["database"] or f"sqlite:///{data / 'registry.sqlite'}"
    values["documents"] = values["documents"] or data / "documents"
    return Settings(**values, tables=tables)


def _read(option: Option, text: str, where: str) -> Any:
    try:
        return option.read(text)
    except ValueError as error:
        # a database URL may hold a password: never repeat it
        shown = f" {text!r}" if option.key not in ("database", "register_at") else ""
        raise ConfigError(f"{where}{shown} cannot be used: {error}") from None


def _from_file(path: Path) -> tuple[dict[str, tuple[str, str]], Tables]:
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    found: dict[str, tuple[str, str]] = {}
    tables: Tables = {}
    for key, value in table.items():
        if key in TABLES:
            try:
                tables[key] = from_toml(TABLES[key], value)
            except TableError as error:
                raise ConfigError(f"{path}: {error}") from None
            continue
        if key not in BY_KEY:
            raise ConfigError(f"{path}: there is no setting {key!r}{nearest(key, [*BY_KEY, *TABLES])}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ConfigError(f"{path}: {key} must be a text or a number")
        found[key] = (str(value), f"{path}: {key}")
    return found, tables


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    variables = {option.variable: option.key for option in OPTIONS}
    found: dict[str, tuple[str, str]] = {}
    for name, value in environ.items():
        if not value:
            continue  # compose files pass unset variables on as empty ones
        if name in variables:
            found[variables[name]] = (value, f"environment variable {name}")
        elif name.startswith("XDS_") and name not in OTHER_VARIABLES:
            # Kubernetes sets XDS_PORT, XDS_SERVICE_HOST, … for a service called xds: refuse only what looks misspelt
            near = nearest(name, variables, cutoff=0.8)
            if near:
                raise ConfigError(f"environment: there is no setting {name}{near}")
    return found


assert [field.name for field in fields(Settings)] == [*(option.key for option in OPTIONS), "tables"]
