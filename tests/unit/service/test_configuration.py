from __future__ import annotations

import os
from pathlib import Path

import pytest

from endpoint_agent.config import parse
from endpoint_agent.errors import ConfigError
from endpoint_agent.service.configuration import Configuration, Wish, compose


def put(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return tmp_path / "etc/config.yaml"


def composed(wish: Wish, installed: Path) -> Configuration:
    return compose(wish, installed, Path.cwd())


def test_a_key_is_enough(installed: Path) -> None:
    found = composed(Wish(intake_key="k:#'\"\\"), installed)
    assert found.settings.intake_key == "k:#'\"\\"
    assert found.settings == parse(installed, found.text)
    assert not installed.exists()


def test_without_a_key_nothing_is_installed(installed: Path) -> None:
    with pytest.raises(ConfigError, match="no intake key is given; use --intake-key-file"):
        composed(Wish(region="mco1"), installed)


def test_all_that_the_command_line_says(installed: Path) -> None:
    wish = Wish("k", intake_url="https://intake.example/a", region="usa1", disable_auto_update=True)
    settings = composed(wish, installed).settings
    assert settings.intake_url == "https://intake.example/a"
    assert settings.region == "usa1"
    assert settings.disable_auto_update


def test_a_region_takes_the_place_of_an_address(installed: Path) -> None:
    put(installed, "IntakeURL: https://a.example\nIntakeKey: k\n")
    found = composed(Wish(region="mco1"), installed)
    assert found.text == 'IntakeKey: k\nRegion: "mco1"\n'


@pytest.mark.parametrize("wish", [Wish(intake_key="two words"), Wish("k", intake_url="ftp://a")])
def test_what_is_no_good_is_told_without_the_key(wish: Wish, installed: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        composed(wish, installed)
    assert "two words" not in str(caught.value)
    assert "allowed" in str(caught.value)


def test_which_file_it_begins_with(installed: Path, around: Path, tmp_path: Path) -> None:
    put(installed, "IntakeKey: installed\n")
    assert composed(Wish(), installed).settings.intake_key == "installed"
    put(around / "config.yaml", "IntakeKey: here\n")
    assert composed(Wish(), installed).settings.intake_key == "here"
    named = put(tmp_path / "named.yaml", "IntakeKey: named\n")
    found = composed(Wish(file=named), installed)
    assert (found.settings.intake_key, found.source) == ("named", named)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_refused(installed: Path, around: Path, mode: int) -> None:
    put(around / "config.yaml", "IntakeKey: k\n", mode)
    with pytest.raises(ConfigError, match="is writable by group or others"):
        composed(Wish("k"), installed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_of_another_user_is_not_taken_over(
    installed: Path, around: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(around / "config.yaml", "IntakeKey: k\n")
    os.chown(file, 4242, 4242)
    with pytest.raises(ConfigError, match="is not taken over"):
        composed(Wish(), installed)
    assert composed(Wish(file=file), installed).settings.intake_key == "k"
    monkeypatch.setenv("SUDO_UID", "4242")
    assert composed(Wish(), installed).settings.intake_key == "k"


def test_a_link_is_not_taken_over(installed: Path, around: Path) -> None:
    (around / "config.yaml").symlink_to(put(around / "elsewhere.yaml", "IntakeKey: k\n"))
    with pytest.raises(ConfigError, match="is not taken over"):
        composed(Wish(), installed)
