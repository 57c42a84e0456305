"""The commands about matching profiles, on a store that was fed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.xds_cli.test_patients import adt, cx
from xds_cli.assemble import open_identities
from xds_cli.config import load_settings
from xds_cli.main import app

A, B = "1.2.826.88.1", "1.2.826.88.2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("matching") / "data"
    with open_identities(load_settings({"data": str(data), "matching": "off"}, environ={})) as parts:
        for number, (pid, name) in enumerate(
            (
                (cx("1", A), "Zelkova^Ondrej"),
                (cx("2", B), "Zelkova^Ondřej"),
                (cx("3", B), "Umbriel^Thaddea"),
            )
        ):
            [answer] = parts.endpoint.respond(adt("A28", f"T{number}", pid, name=name).encode())
            assert b"MSA|AA" in answer
    return data


def match(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["match", *arguments], env={"COLUMNS": "250"})


def test_an_explanation_names_fields_and_levels_and_no_values(data: Path) -> None:
    said = match("explain", cx("1", A), cx("2", B), "--profile", "generic", "--data", str(data))
    assert said.exit_code == 0, said.output
    assert "total" in said.output
    assert "Zelkova" not in said.output
    value = json.loads(
        match("explain", cx("1", A), cx("3", B), "--profile", "generic", "--data", str(data), "--json").output
    )
    assert value["decision"] != "link"
    assert {field["name"] for field in value["fields"]}
    without = match("explain", cx("1", A), cx("2", B), "--data", str(data))
    assert without.exit_code == 2
    assert "name one" in without.output
    assert match("explain", cx("1", A), cx("9", B), "--profile", "generic", "--data", str(data)).exit_code == 1


def test_a_dry_run_changes_nothing_and_says_what_a_profile_would(data: Path) -> None:
    for _ in range(2):
        found = json.loads(match("dry-run", "generic", "--data", str(data), "--json").output)
        assert (found["identities"], found["people_now"]) == (3, 3)
        assert found["people_then"] + found["joined"] == 3
    assert "people now" in match("dry-run", "generic", "--data", str(data)).output
    wrong = match("dry-run", str(data / "nothing.toml"), "--data", str(data))
    assert wrong.exit_code == 2


def test_nothing_is_learned_from_a_few(data: Path, tmp_path: Path) -> None:
    said = match("train", "cn", "--output", str(tmp_path / "ours.toml"), "--data", str(data))
    assert said.exit_code == 2
    assert "too few" in said.output
    assert not (tmp_path / "ours.toml").exists()
