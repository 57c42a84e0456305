"""Profiles are checked when they are loaded, and what is wrong is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.matching import SHIPPED, ProfileError, load_profile, parse_profile


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_right(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert all((profile.fields, profile.keys, profile.rules))
    assert profile.link > profile.review


def test_an_operators_own_profile_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(load_profile("cn").source.replace('version = "1"', 'version = "ours_7"'), "utf-8")
    assert load_profile(path).version == "ours_7"
    assert load_profile(str(path)) == load_profile(path)
    with pytest.raises(ProfileError, match=r"no profile that can be read; shipped ones are cn, generic"):
        load_profile(tmp_path / "absent.toml")


# a change of the shipped profile, and what is said of the line that it stands in
WRONG = [
    ("format = 1", "format = 2", "format: this version reads format 1"),
    ('name = "cn"', 'name = "c n"', "name: letters, digits and _"),
    ("prior = ", "prior = true # ", "prior: a number of bits"),
    ("link = ", "link = -9 # ", "thresholds.review: above thresholds.link"),
    ("margin = ", "margin = 1000 # ", "thresholds.margin: a number of bits from -100 to 100"),
    ("margin = ", "margins = ", "thresholds.margins: unknown"),
    ('comparator = "phone"', 'comparator = "telephone"', "field phone: comparator is one of"),
    ("close = 8.0", "closer = 8.0", "field id: level closer is none of"),
    ('parts = ["phone", "sound"]', 'parts = ["phones", "sound"]', "key phone and name: phones is none of"),
    ('parts = ["phone", "sound"]', "parts = []", "key phone and name: has no parts"),
    ('ruling = "link"', 'ruling = "maybe"', "rule the same name, birth date and mother: ruling is one of"),
    ('mother = ["same"]', 'mother = ["equal"]', "mother has no level equal"),
    ("when = { id = ", "when = { identity = ", "rule two resident numbers: there is no field identity"),
    ("when = { id = ", 'when = "now" # ', "rule two resident numbers: says when it holds"),
    ('ids = ["', 'ids = "none" # ["', "placeholders.ids: a list of texts"),
    ("[trust]", "[mistrust]", "mistrust: unknown"),
    ('name = "phone"', 'name = "home"', "field home: stands here twice"),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[new for _, new, _ in WRONG])
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    text = load_profile("cn").source
    assert old in text
    changed = text.replace(old, new, 1)
    with pytest.raises(ProfileError) as raised:
        parse_profile(changed, "ours.toml")
    [line] = [line for line in str(raised.value).splitlines() if said in line]
    number = int(line.split(":")[1])
    assert line.startswith(f"ours.toml:{number}: ")
    if "above" in said or "twice" in said:
        return  # said of the second of two lines
    assert new.split(" #")[0].strip() in changed.splitlines()[number - 1]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = load_profile("cn").source.replace("prior = ", 'prior = "much" # ').replace('"phone", "sound"', '"fax"')
    with pytest.raises(ProfileError) as raised:
        parse_profile(text)
    assert len(str(raised.value).splitlines()) == 2


def test_what_is_no_toml_is_said_with_its_line() -> None:
    with pytest.raises(ProfileError, match=r"ours\.toml: .*line 2"):
        parse_profile('name = "ours"\nversion = = 1\n', "ours.toml")


def test_a_missing_weight_is_missed() -> None:
    text = load_profile("cn").source.replace("slip = ", "# slip = ", 1)
    with pytest.raises(ProfileError):
        parse_profile(text)
