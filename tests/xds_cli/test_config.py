"""Settings: three places, one precedence, and errors that say what to change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xds_cli.config import (
    BY_KEY,
    OPTIONS,
    Address,
    ConfigError,
    Settings,
    load_settings,
    settings_from_json,
    settings_to_json,
)

# a valid text for each option, and another one
SAMPLES = {
    "data": ("one", "two"),
    "database": ("sqlite:///one.sqlite", "postgresql+psycopg://u@h/two"),
    "documents": ("one", "two"),
    "http": ("127.0.0.1:1", "127.0.0.1:2"),
    "mllp": ("127.0.0.1:1", "127.0.0.1:2"),
    "workers": ("3", "4"),
    "affinity": ("none", "core"),
    "codes": ("one.xml", "two.toml"),
    "patients": ("any", "known"),
    "matching": ("off", "ours.toml"),
    "domain": ("1.2.3", "1.2.4"),
    "home_community_id": ("urn:oid:1.2.3", "urn:oid:1.2.4"),
    "repository_unique_id": ("1.2.3", "1.2.4"),
    "reply_to": ("none", "his.example,*.clinic.example"),
    "max_results": ("5", "6"),
    "register_at": ("http://registry.example/registry", "https://registry.example/other"),
    "bridge": ("one.toml", "two.toml"),
}


def text_of(settings: Settings, key: str) -> str:
    return str(getattr(settings, key))


def toml(folder: Path, **values: str) -> str:
    path = folder / "xds.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), "utf-8")
    return str(path)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load_settings({}, environ={})
    assert settings == Settings(
        data=Path("xds-data"),
        database="sqlite:///xds-data/registry.sqlite",
        documents=Path("xds-data/documents"),
        http=Address("127.0.0.1", 8080),
        mllp=Address("127.0.0.1", 2575),
        workers=1,
        affinity="core",
        codes=None,
        patients="known",
        matching="ids",
        domain="1.3.6.1.4.1.21367.13.20.1000",
        home_community_id=None,
        repository_unique_id="1.3.6.1.4.1.21367.2026.1.1",
        reply_to=("same-host",),
        max_results=10000,
        register_at=None,
        bridge=None,
        tables={},
    )


def test_every_option_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(BY_KEY)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_the_command_line_wins_over_the_environment_and_the_environment_over_the_file(option, tmp_path: Path) -> None:
    low, high = SAMPLES[option.key]
    file = toml(tmp_path, **{option.key: low})
    assert text_of(load_settings({}, environ={}, config=file), option.key) == str(option.read(low))
    environ = {option.variable: high}
    assert text_of(load_settings({}, environ=environ, config=file), option.key) == str(option.read(high))
    given = {option.key: low}
    assert text_of(load_settings(given, environ=environ, config=file), option.key) == str(option.read(low))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_option_reaches_a_worker_process_unchanged(option) -> None:
    settings = load_settings({option.key: SAMPLES[option.key][1]}, environ={})
    assert settings_from_json(json.loads(settings_to_json(settings))) == settings


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    environ = {"XDS_CONFIG": toml(tmp_path, workers="7")}
    assert load_settings({}, environ=environ).workers == 7


def test_numbers_in_the_file_need_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "xds.toml"
    path.write_text("workers = 2\nmax_results = 50\n", "utf-8")
    settings = load_settings({}, environ={}, config=str(path))
    assert (settings.workers, settings.max_results) == (2, 50)


def test_an_unknown_key_is_named_with_the_nearest_valid_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'databse'; did you mean database\?"):
        load_settings({}, environ={}, config=toml(tmp_path, databse="x"))


def test_a_misspelt_variable_is_named_with_the_nearest_valid_one() -> None:
    with pytest.raises(ConfigError, match=r"XDS_DATABSE; did you mean XDS_DATABASE\?"):
        load_settings({}, environ={"XDS_DATABSE": "x"})


@pytest.mark.parametrize("name", ["XDS_PORT", "XDS_SERVICE_HOST", "XDS_PORT_8080_TCP_ADDR", "XDS_SERVICE_PORT_HTTP"])
def test_variables_that_kubernetes_sets_are_none_of_our_business(name: str) -> None:
    load_settings({}, environ={name: "tcp://10.0.0.1:8080"})


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({}, environ={"XDS_CODES": ""}).codes is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("http", "8080"),
        ("http", "localhost:"),
        ("http", "localhost:http"),
        ("mllp", "127.0.0.1:65536"),
        ("mllp", "127.0.0.1:-1"),
        ("workers", "0"),
        ("workers", "two"),
        ("workers", "1.5"),
        ("patients", "knwon"),
        ("matching", "on"),
        ("documents", "s3://bucket/prefix"),
        ("documents", ""),
        ("database", "registry.sqlite"),
        ("domain", "1.2.x"),
        ("home_community_id", "1.2.3"),
        ("repository_unique_id", ""),
        ("reply_to", "http://his.example/"),
        ("reply_to", ","),
        ("max_results", "0"),
        ("data", ""),
        ("codes", ""),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line_that_names_the_option(key: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings({key: text}, environ={})
    assert BY_KEY[key].flag in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_password_in_a_database_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings({"database": "user:secret@host"}, environ={})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"data = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"data = true\n", "must be a text or a number"),
        (b"[data]\nx = 1\n", "must be a text or a number"),
        (b"[tsl]\n", "there is no setting 'tsl'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "xds.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        load_settings({}, environ={}, config=str(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration file .*nowhere\.toml"):
        load_settings({}, environ={}, config=str(tmp_path / "nowhere.toml"))


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "[::1]:2575", "0.0.0.0:0"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert text_of(load_settings({"http": text}, environ={}), "http") == text


def test_documents_may_be_a_file_url() -> None:
    assert load_settings({"documents": "file:///srv/documents"}, environ={}).documents == Path("/srv/documents")
