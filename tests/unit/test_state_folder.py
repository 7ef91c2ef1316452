"""The folder with the agent's state: made for root alone, or refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.state_folder import prepare


def test_the_state_folder_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "agent"
    prepare(folder)
    prepare(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_state_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(AgentError, match=r"mode 0777\); name a folder that only root may write"):
        prepare(tmp_path)


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    with pytest.raises(AgentError, match="cannot make StateDirectory"):
        prepare(path)
