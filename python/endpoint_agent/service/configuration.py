"""The configuration of an agent that is installed: what was there, changed as the user wishes."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from endpoint_agent.config import Settings, parse
from endpoint_agent.configfile import check_folder, read_private, with_values
from endpoint_agent.errors import ConfigError

FILE_NAME = "config.yaml"
EMPTY = "# Settings of the endpoint agent. Only the intake's key is needed.\n"


@dataclass(frozen=True)
class Wish:
    """What the command line says about the configuration."""

    intake_key: str | None = None
    region: str | None = None
    intake_url: str | None = None
    disable_auto_update: bool = False
    file: Path | None = None
    """To begin with, in place of any other."""


@dataclass(frozen=True)
class Configuration:
    """The text of the file, and what it says."""

    text: str
    settings: Settings
    source: Path | None
    """Of the text it began with."""


def compose(wish: Wish, installed: Path, folder: Path) -> Configuration:
    """The configuration that is wished for. Nothing is written.

    It begins with the file of the wish, else with a `config.yaml` in `folder`, the working one,
    else with the one that is `installed`.

    Raises:
        ConfigError: the text is no good, or it could have been written by someone else.
    """
    source = _source(wish, installed, folder)
    text = EMPTY
    if source:
        text, _ = read_private(source)
        check_folder(source)
    values: dict[str, str | None] = {}
    if wish.intake_key is not None:
        values["IntakeKey"] = json.dumps(wish.intake_key)
    if wish.region is not None:
        # An address would take precedence.
        values |= {"Region": json.dumps(wish.region), "IntakeURL": None}
    if wish.intake_url is not None:
        values["IntakeURL"] = json.dumps(wish.intake_url)
    if wish.disable_auto_update:
        values["DisableAutoUpdate"] = "true"
    place = source or installed
    text = with_values(place, text, values)
    settings = parse(place, text, key_required=False)
    if not settings.intake_key:
        raise ConfigError(
            "no intake key is given; use --intake-key-file FILE, or - for standard input"
        )
    return Configuration(text, settings, source)


def _source(wish: Wish, installed: Path, folder: Path) -> Path | None:
    if wish.file is not None:
        return wish.file
    here = folder / FILE_NAME
    # Who has put it there cannot be told on Windows.
    if sys.platform != "win32" and os.path.lexists(here):
        _check_owner(here, os.geteuid())
        return here
    return installed if installed.exists() else None


def _check_owner(path: Path, user: int) -> None:
    """Refuses a file that nobody named, unless it is of this user, of root or of who calls sudo."""
    status = path.lstat()
    owners = {0, user}
    if (caller := os.environ.get("SUDO_UID", "")).isdecimal():
        owners.add(int(caller))
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners:
        raise ConfigError(
            f"{path}: is not taken over: it is no regular file of root or of who calls sudo "
            f"(owner {status.st_uid}); remove it, or name it with --config"
        )
