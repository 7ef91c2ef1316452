from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

import pytest

from endpoint_agent import identity
from endpoint_agent.errors import AgentError


def test_an_id_is_made_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = identity.load(tmp_path)

    assert re.fullmatch("[0-9a-f]{64}", made)
    assert identity.load(tmp_path) == made
    assert stat.S_IMODE((tmp_path / identity.FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [identity.FILE_NAME]
    assert not caplog.records


def test_two_agents_differ(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    assert identity.load(one) != identity.load(two)


@pytest.mark.parametrize(
    "content",
    [b"", b"ab" * 31, b"AB" * 32, b"ab" * 32 + b"x", b"\xff" * 64, b"zz" * 32, b"\n" + b"ab" * 32],
)
def test_a_damaged_id_is_remade_and_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / identity.FILE_NAME
    path.write_bytes(content)

    with caplog.at_level(logging.WARNING):
        made = identity.load(tmp_path)

    assert re.fullmatch("[0-9a-f]{64}", made)
    assert path.read_text() == made + "\n"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert made in caplog.text
    assert str(path) in caplog.text


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f".{identity.FILE_NAME}.part").write_bytes(b"half")

    made = identity.load(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [identity.FILE_NAME]
    assert identity.load(tmp_path) == made


def test_the_folder_is_synced_after_the_file_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []

    def note(descriptor: int) -> None:
        names = [path.name for path in tmp_path.iterdir()]
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), names))

    monkeypatch.setattr(os, "fsync", note)
    identity.load(tmp_path)

    part, whole = f".{identity.FILE_NAME}.part", identity.FILE_NAME
    assert synced == [(False, [part]), (True, [whole])]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("cd" * 32)
    (tmp_path / identity.FILE_NAME).symlink_to(target)

    with pytest.raises(AgentError, match="StateDirectory"):
        identity.load(tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        AgentError, match="agent-id: No such file or directory; make StateDirectory"
    ):
        identity.load(tmp_path / "nowhere")
